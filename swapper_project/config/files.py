"""The files that a configuration names: whether they are there, and hold what they should."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

AUTHORITIES: Final = frozenset({"trustedCA", "caFile"})
NAMED_FILES: Final = AUTHORITIES | {"tlsCertFile", "tlsKeyFile"}
"""Keys. Files with passwords are left out: workers alone have them."""


def problem_of(key: str, name: str) -> str:
    """Return what is wrong with the file that a key names, or nothing."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{name} can't be read: {error.strerror}; put the file there, or correct its name"
    if key not in AUTHORITIES:
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):
        return f"{name} contains no readable certificates in PEM format"
    return ""
