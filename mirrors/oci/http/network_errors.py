"""Errors of sockets, TLS and HTTP as ours, each with its next step."""

from __future__ import annotations

import ssl
from typing import Final

from urllib3.exceptions import SSLError

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.http.messages import InvalidResponseError

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
"""What OpenSSL calls an answer in plain HTTP."""


def stalled(host: str) -> RegistryError:
    return RegistryError("timeout", f"{host} did not answer in time", host=host)


def translate(error: Exception, host: str) -> RegistryError:
    """An error of a connection or a message as ours. Their texts name URLs, so only their kind is kept."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            reason = seen.verify_message or "it is not trusted"
            return RegistryError(
                "tls",
                f"the certificate of {host} was refused: {reason}; add its certificate authority (caFile for this "
                "registry, trustedCA for all), or fix the certificate",
                host=host,
                says_step=True,
            )
        if isinstance(seen, ssl.SSLError) and seen.reason in _NOT_TLS:
            return RegistryError(
                "tls",
                f"{host} does not speak HTTPS on this port; if it is meant to be plain HTTP, set insecure: true for it",
                host=host,
                says_step=True,
                permanent=False,
            )
        if isinstance(seen, InvalidResponseError):
            return RegistryError(
                "unavailable",
                f"{host} sent something that is not HTTP ({seen}); check what answers on this port, such as a proxy",
                host=host,
                says_step=True,
            )
        seen = seen.__cause__ or seen.__context__ or next((a for a in seen.args if isinstance(a, Exception)), None)
    if isinstance(error, (SSLError, ssl.SSLError)):
        return RegistryError(
            "tls",
            f"the TLS handshake with {host} failed; check its TLS settings",
            host=host,
            permanent=False,
            says_step=True,
        )
    if isinstance(error, TimeoutError):
        return stalled(host)
    if isinstance(error, ValueError):
        return RegistryError("invalid", f"{host} sent something that is not HTTP", host=host)
    return RegistryError("unavailable", f"the connection to {host} broke off", host=host)
