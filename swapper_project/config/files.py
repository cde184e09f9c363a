"""Checks of the files that a configuration names: whether they can be read, and have the expected content."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

CA_FILE_KEYS: Final = frozenset({"trustedCA", "caFile"})
FILE_KEYS: Final = CA_FILE_KEYS | {"tlsCertFile", "tlsKeyFile"}
"""Configuration keys that name files to check. Files with passwords are not checked: only workers have them."""


def file_problem(key: str, name: str) -> str:
    """Return the problem with the file that a key names; empty if there is none."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{name} can't be read: {error.strerror}; put the file there, or correct its name"
    if key not in CA_FILE_KEYS:
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):
        return f"{name} contains no readable certificates in PEM format"
    return ""
