"""Logs failed TLS handshakes: the cause and the remedy, at a limited rate."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

log = structlog.get_logger(__name__)

FAILURE_LOG_EVERY: Final = 60.0
"""Seconds between two log lines about the same kind of failure. An API server tries again with each pod."""

_CABUNDLE: Final = "Put its authority into caBundle of the webhook's registration"
_ALERTS: Final = (
    (("UNKNOWN_CA",), f"The client does not trust our certificate: its authority is unknown. {_CABUNDLE}"),
    (
        ("CERTIFICATE_EXPIRED",),
        "The client reports that our certificate has expired. Replace the files with a valid certificate and key",
    ),
    (
        ("BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED"),
        f"The client refused our certificate. {_CABUNDLE}, and check that the certificate names the host of the "
        "registration and has not expired",
    ),
    (("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"), "The client speaks plain HTTP. Use https:// in its address"),
    (
        ("UNSUPPORTED_PROTOCOL", "VERSION", "NO_SHARED_CIPHER", "HANDSHAKE_FAILURE", "INSUFFICIENT_SECURITY"),
        "The client offers no supported TLS version or cipher. Use a client with TLS 1.2 or newer",
    ),
)
"""Parts of OpenSSL's names of failures, and their meaning. The first match counts."""

_OTHER: Final = "A TLS handshake failed. Check what the client sends"


@dataclass(slots=True)
class _LogState:
    """The time at which a kind of failure was last logged, and the number of failures since then."""

    logged_at: float
    suppressed: int = 0


class FailedHandshakes:
    """Logs failed handshakes; not thread-safe. Clients that only close the connection, as probes of load balancers do,
    are not logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, _LogState] = {}

    def record(self, error: BaseException | None, client: object) -> None:
        if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return
        message, now = failure_meaning(error), self._clock()
        last = self._logged.get(message)
        if last is not None and now - last.logged_at < FAILURE_LOG_EVERY:
            last.suppressed += 1
            return
        # A dual-stack socket reports IPv4 addresses in this form.
        address = str(client[0]).removeprefix("::ffff:") if isinstance(client, tuple) and client else ""
        more = {"more": last.suppressed} if last is not None and last.suppressed else {}
        log.warning("A TLS handshake was refused", error=message, reason=error.reason or "", client=address, **more)
        self._logged[message] = _LogState(now)


def failure_meaning(error: ssl.SSLError) -> str:
    """Return the meaning of a failure, and the remedy."""
    name = (error.reason or "").upper()
    return next((message for parts, message in _ALERTS if any(part in name for part in parts)), _OTHER)
