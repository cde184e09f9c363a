"""The causes of failed pulls, from the kubelet's messages, which contain errors of containerd, CRI-O and Docker."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mirrors.vocabulary.pull_causes import PullCause

_QUOTED: Final = re.compile(r'"[^"]*"|https?://\S+|docker://\S+')
"""References and URLs, whose text has nothing to do with the cause."""

_NO_CAUSE: Final = re.compile(r"\s*back-off pulling image\s*\S*\s*", re.IGNORECASE)

_RULES: Final = tuple(
    (cause, re.compile(pattern, re.IGNORECASE))
    for cause, pattern in (
        (
            PullCause.INVALID_NAME,
            r"couldn't parse image|invalid reference format|failed to parse (?:image|reference)"
            r"|repository name must be",
        ),
        (PullCause.RATE_LIMITED, r"\b429\b|toomanyrequests|too many requests|rate limit"),
        (
            PullCause.PLATFORM_MISSING,
            r"no match for platform|no matching manifest for|no image found in (?:manifest list|image index)"
            r"|does not match the (?:specified|detected host) platform|no child with platform",
        ),
        # Before "denied", because a token that could not be fetched is a network problem, not one of permissions.
        (
            PullCause.UNREACHABLE,
            r"no such host|server misbehaving|name resolution|i/o timeout|connection refused|connection reset"
            r"|no route to host|network is unreachable|tls handshake|tls: |x509: |deadline exceeded|client\.timeout"
            r"|request canceled while waiting|proxyconnect|http response to https client|unexpected eof|: eof\b"
            r"|\b50[0234]\b|broken pipe|registry is unavailable",
        ),
        # Before "not found", because registries that hide inaccessible images report both.
        (
            PullCause.DENIED,
            r"\b40[13]\b|unauthorized|forbidden|denied|permissiondenied|unauthenticated|authorization failed"
            r"|failed to authorize|no basic auth credentials|authentication required|authorization token has expired",
        ),
        (PullCause.NOT_FOUND, r"not found|manifest[ _]unknown|name[ _]unknown|does not exist|\b404\b"),
    )
)


@lru_cache(maxsize=4_096)
def cause_of(reason: str, message: str, image: str = "") -> PullCause | None:
    """Return the cause of a container's state; None if the message contains no cause, such as a back-off only.

    Cached because a state lasts for minutes and is checked in each turn of the watcher.
    """
    if reason == "InvalidImageName":
        return PullCause.INVALID_NAME
    text = _QUOTED.sub(" ", message.replace(image, " ") if image else message)
    if not message.strip() or _NO_CAUSE.fullmatch(text):
        return None
    return next((cause for cause, pattern in _RULES if pattern.search(text)), PullCause.OTHER)
