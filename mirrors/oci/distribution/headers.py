"""Parses the headers of registries' replies: bounded before they are parsed, and never trusted to be numbers."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

MAX_RETRY_AFTER_SECONDS: Final = 3_600.0
"""The longest pause that a registry can request, in seconds. Docker Hub's window has six hours, but a pause of more
than an hour is as likely a mistake or malice; a registry that is still limited after an hour requests it again."""

_MAX_CHARACTERS: Final = 100
"""The maximum length of a header with a number, a date or a range; the longest real one, a date, has 31 characters."""

_MAX_LINK_CHARACTERS: Final = 20_000
"""The maximum length of a Link header: the longest URL that is followed, and its parameters."""

_MAX_DIGESTS_CHARACTERS: Final = 1_000
"""The maximum length of a reply's digest; that of SHA-512 has 135 characters."""

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_DIGITS = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_REMAINING = re.compile(r"([0-9]{1,9})(;.*)?", re.DOTALL)


def number(text: str | None) -> int | None:
    """Return a non-negative decimal number below 10^18 (Content-Length, RFC 9110 section 8.6), else None."""
    match = _DIGITS.fullmatch(_short(text))
    return int(match[0]) if match else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds from now (RFC 9110 section 10.2.3: seconds or a date), an hour at most; None
    without a usable value."""
    text = _short(headers.get("Retry-After"))
    if text.isascii() and text.isdigit():
        return min(MAX_RETRY_AFTER_SECONDS, float(text))
    try:
        date = email.utils.parsedate_to_datetime(text)
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(MAX_RETRY_AFTER_SECONDS, max(0.0, seconds))


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Return the start and the complete size in bytes of a 206 (RFC 9110 section 14.4); the size is None if unknown."""
    match = _CONTENT_RANGE.fullmatch(_short(headers.get("Content-Range")))
    return (int(match[1]), None if match[2] == "*" else int(match[2])) if match else None


def content_digest(headers: Mapping[str, str]) -> str:
    """Return Docker-Content-Digest, "" without one. Equal values count as one, because proxies repeat headers."""
    digests = {
        digest.strip() for digest in headers.get("Docker-Content-Digest", "")[:_MAX_DIGESTS_CHARACTERS].split(",")
    }
    return digests.pop() if len(digests) == 1 else ""


def is_length_of(headers: Mapping[str, str], size: int | None) -> bool:
    """Return whether Content-Length may be that of content of `size` bytes: they are equal, or one is unknown."""
    # Repeated headers are joined by commas. If there is a body, their values are equal.
    length = headers.get("Content-Length", "").partition(",")[0]
    return size is None or not length or number(length) == size


@dataclass(frozen=True, slots=True)
class PullLimit:
    """The pulls that a registry still allows an account, of `limit` in its time window; None without a reported
    limit."""

    remaining: int
    limit: int | None = None


def pull_limit(headers: Mapping[str, str]) -> PullLimit | None:
    """Return the values of Docker Hub's `RateLimit-Limit: 100;w=21600` and `RateLimit-Remaining: 76;w=21600`; None
    without a usable remainder."""
    remaining = remaining_pulls(headers)
    return None if remaining is None else PullLimit(remaining, _pulls(headers.get("RateLimit-Limit")))


def remaining_pulls(headers: Mapping[str, str]) -> int | None:
    """Return the number of pulls in `RateLimit-Remaining`; None without a usable value."""
    return _pulls(headers.get("RateLimit-Remaining"))


def _pulls(text: str | None) -> int | None:
    match = _REMAINING.fullmatch(_short(text))
    return int(match[1]) if match else None


def next_link(headers: Mapping[str, str]) -> str:
    """Return the target of `Link: <…>; rel="next"` (RFC 8288, as in lists of the distribution API); "" without one."""
    text = headers.get("Link", "")
    if len(text) > _MAX_LINK_CHARACTERS:
        return ""
    for target, parameters in _LINK.findall(text):
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip(' \t,"').lower().split():
                return str(target)
    return ""


def media_type(headers: Mapping[str, str]) -> str:
    """Return Content-Type without its parameters."""
    return headers.get("Content-Type", "")[:1_000].partition(";")[0].strip()


def _short(text: str | None) -> str:
    """Return the header's text, or "" if it is longer than any real one."""
    return text.strip() if text is not None and len(text) <= _MAX_CHARACTERS else ""
