"""The certificate authorities for the clouds' own libraries: those of the system and ``trustedCA`` in one file."""

from __future__ import annotations

import atexit
import os
import ssl
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import certifi

from mirrors.oci import RegistryError

_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def ca_bundle(trusted_ca: str | None) -> str | None:
    """Return the path of a file with both. Return None without ``trusted_ca``: each library's default is right then.

    Raises RegistryError ``tls`` if the file of ``trusted_ca`` can't be read.
    """
    if trusted_ca is None:
        return None
    try:
        return _write_bundle(trusted_ca, os.stat(trusted_ca).st_mtime_ns)
    except OSError as error:
        raise RegistryError("tls", f"trustedCA {trusted_ca} can't be read: {error.strerror}", host="") from None


@lru_cache(maxsize=8)
def _write_bundle(trusted_ca: str, mtime: int) -> str:
    own = Path(trusted_ca).read_bytes()
    handle, name = tempfile.mkstemp(prefix="k8s-image-swapper-ca-", suffix=".pem")
    with os.fdopen(handle, "wb") as file:
        file.write(_system_bundle().read_bytes() + b"\n" + own)
    atexit.register(_remove, name)
    return name


def _system_bundle() -> Path:
    configured = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    candidates = (configured, *_SYSTEM, certifi.where())
    return next(Path(name) for name in candidates if name and os.path.isfile(name))


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)
