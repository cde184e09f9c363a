"""Translates errors of sockets, TLS and HTTP to RegistryError, with the next step for the operator if it is known."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

from urllib3.exceptions import SSLError

from mirrors.oci.common.errors import Code, RegistryError
from mirrors.oci.http.http_messages import InvalidResponseError

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
"""The reasons that OpenSSL reports for a response in plain HTTP."""


def stall_error(host: str) -> RegistryError:
    return RegistryError("timeout", f"{host} did not respond in time", host=host)


def translate(error: Exception, host: str) -> RegistryError:
    """Return the RegistryError for an error of a connection or a message. Only the kind of the error is used, because
    its text may contain URLs."""
    for cause in _causes(error):
        if (known_error := _known_error(cause, host)) is not None:
            return known_error
    match error:
        case SSLError() | ssl.SSLError():
            return _with_step("tls", f"the TLS handshake with {host} failed; check its TLS settings", host)
        case TimeoutError():
            return stall_error(host)
        case ValueError():
            return RegistryError("invalid", f"{host} sent something that is not HTTP", host=host)
    return RegistryError("unavailable", f"the connection to {host} was lost", host=host)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and the errors that caused it. Libraries store those as its cause, its context or an argument."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = (
            current.__cause__
            or current.__context__
            or next((a for a in current.args if isinstance(a, Exception)), None)
        )


def _known_error(cause: BaseException, host: str) -> RegistryError | None:
    """Return the RegistryError for an error whose reason is known, else None."""
    match cause:
        case ssl.SSLCertVerificationError():
            reason = cause.verify_message or "it is not trusted"
            step = "add its certificate authority (caFile for this registry, trustedCA for all), or fix the certificate"
            message = f"the certificate of {host} was refused: {reason}; {step}"
            return RegistryError("tls", message, host=host, says_step=True)
        case ssl.SSLError() if cause.reason in _NOT_TLS:
            step = "if it is meant to be plain HTTP, set insecure: true for it"
            return _with_step("tls", f"{host} does not speak HTTPS on this port; {step}", host)
        case InvalidResponseError():
            step = "check what responds on this port, such as a proxy"
            return _with_step("unavailable", f"{host} sent something that is not HTTP ({cause}); {step}", host)
    return None


def _with_step(code: Code, message: str, host: str) -> RegistryError:
    """Return a transient error whose message includes the next step."""
    return RegistryError(code, message, host=host, permanent=False, says_step=True)
