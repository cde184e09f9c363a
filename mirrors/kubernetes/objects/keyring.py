"""Credentials of pull secrets, matched with an image as the kubelet does. Pure functions.

https://kubernetes.io/docs/concepts/containers/images/#config-json: wildcards match parts of the host, ports must be
equal, paths are prefixes, and all matching credentials are tried, the most specific first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import urlsplit

from mirrors.images import DEFAULT_REGISTRY, DOCKER_HUB_ALIASES, ImageRef
from mirrors.oci import Credential

CONFIG_JSON: Final = "kubernetes.io/dockerconfigjson"
CONFIG: Final = "kubernetes.io/dockercfg"
SECRET_KEYS: Final = {CONFIG_JSON: ".dockerconfigjson", CONFIG: ".dockercfg"}


class InvalidSecretError(ValueError):
    """A pull secret cannot be used; the message contains the reason, but nothing of the Secret's content."""


@dataclass(frozen=True, slots=True)
class KeyringEntry:
    """Credentials, and the host and path that they are for (``key``)."""

    key: str
    credential: Credential

    def matches(self, ref: ImageRef) -> bool:
        host, slash, path = self.key.partition("/")
        if host in DOCKER_HUB_ALIASES:
            host = DEFAULT_REGISTRY
        if slash and not f"/{ref.repository}".startswith(f"/{path}"):
            return False
        return _host_matches(host, ref.registry)


def _host_matches(pattern: str, host: str) -> bool:
    """Return whether the pattern matches the host. A wildcard matches within one label of the name, never a dot."""
    pattern_name, _, pattern_port = pattern.partition(":")
    name, _, port = host.partition(":")
    parts, pattern_parts = name.split("."), pattern_name.split(".")
    if pattern_port != port or len(parts) != len(pattern_parts):
        return False
    return all(fnmatchcase(part, pattern_part) for part, pattern_part in zip(parts, pattern_parts, strict=True))


def matching(entries: list[KeyringEntry], ref: ImageRef) -> list[Credential]:
    """Return the credentials for an image, the most specific first, without duplicates."""
    ordered = sorted((entry for entry in entries if entry.matches(ref)), key=lambda entry: entry.key, reverse=True)
    return list(dict.fromkeys(entry.credential for entry in ordered))


def read(kind: str, data: Mapping[str, str] | None) -> tuple[list[KeyringEntry], list[str]]:
    """Return the credentials in a Secret, and the problems of its invalid entries.

    ``kind`` is the type of the Secret, ``data`` is in base64. Raises InvalidSecretError if the Secret as a whole is
    invalid.
    """
    if kind not in SECRET_KEYS:
        raise InvalidSecretError(f"has the type {kind or 'Opaque'}, which holds no registry credentials")
    content = (data or {}).get(SECRET_KEYS[kind])
    if not content:
        raise InvalidSecretError(f"has no key {SECRET_KEYS[kind]}")
    auths = _auths(kind, content)
    entries: list[KeyringEntry] = []
    problems: list[str] = []
    for name, value in auths.items():
        try:
            entries.append(_entry(name, value))
        except InvalidSecretError as error:
            problems.append(f"its entry {_redacted(name)!r} {error}")
    return entries, problems


def _auths(kind: str, content: str) -> Mapping[str, Any]:
    try:
        document = json.loads(base64.b64decode(content, validate=True))
    except (ValueError, RecursionError):
        raise InvalidSecretError(f"holds no JSON under {SECRET_KEYS[kind]}") from None
    auths = document.get("auths", {}) if kind == CONFIG_JSON and isinstance(document, dict) else document
    if not isinstance(auths, dict):
        raise InvalidSecretError("holds no credentials by registry")
    return auths


def _entry(name: str, value: object) -> KeyringEntry:
    if not isinstance(value, dict):
        raise InvalidSecretError("is not an object")
    username, password = value.get("username"), value.get("password")
    if auth := value.get("auth"):
        try:
            username, colon, password = _decoded(auth).partition(":")
        except (binascii.Error, ValueError, TypeError, AttributeError):
            raise InvalidSecretError("has an auth that is not base64") from None
        if not colon:
            raise InvalidSecretError("has an auth without ':' between user and password")
    if not isinstance(username, str) or not isinstance(password, str) or not username:
        raise InvalidSecretError("has no username and password")
    if not _is_text(username + password):
        raise InvalidSecretError("has a username or password that is not text")
    return KeyringEntry(_key(name), Credential(username, password.rstrip("\0")))


def _decoded(auth: str) -> str:
    """Decode base64 as clients write it: with line breaks, or without padding."""
    text = "".join(auth.split()).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _redacted(name: str) -> str:
    """Return a key of a Secret for messages, without credentials that it may contain."""
    return name.rpartition("@")[2][:100]


def _key(name: str) -> str:
    """Return host and path, without the scheme and without the ``/v1/`` or ``/v2/`` that some clients write."""
    try:
        url = urlsplit(name if name.startswith(("http://", "https://")) else f"https://{name}")
        host = url.netloc.lower()
    except ValueError:
        raise InvalidSecretError("names no registry") from None
    # Credentials may precede the host; the kubelet ignores them too.
    host = host.rpartition("@")[2]
    if not host:
        raise InvalidSecretError("names no registry")
    path = url.path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    elif path in ("/v1", "/v2"):
        path = ""
    return host if path in ("", "/") else host + path
