"""Gets one request answered: signs it, keeps to the host's slots, waits and tries again where that can help."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from mirrors.oci.access import RegistryAccess
from mirrors.oci.auth import Authenticator, Authorization, Scopes
from mirrors.oci.calls import Call
from mirrors.oci.errors import RegistryError, is_retryable
from mirrors.oci.settings import EngineSettings
from mirrors.oci.throttle import Gate
from mirrors.oci.transport import Ask, Reply, Transport


@dataclass(frozen=True, slots=True)
class Wire:
    """What all requests of an engine share."""

    transport: Transport
    auth: Authenticator
    gate: Gate
    settings: EngineSettings


class Sender:
    """Sends requests to one registry on behalf of one call."""

    def __init__(self, wire: Wire, access: RegistryAccess, call: Call) -> None:
        self._wire = wire
        self._access = access
        self._call = call
        self._home = wire.transport.api(access, "/").origin

    @property
    def stall_timeout(self) -> float:
        return self._wire.settings.stall_timeout

    def send(self, ask: Ask, scopes: Scopes, *, gated: bool = True) -> Reply:
        """The first reply that is final. Raises RegistryError when the registry cannot be reached, or wants to be left
        alone for longer than is worth waiting for (then with `retry_after`)."""
        settings = self._wire.settings
        waited = 0.0
        for attempt in range(settings.retries + 1):
            reply, failure = self._try(ask, scopes, gated=gated)
            if reply is not None and not is_retryable(reply.status):
                return reply
            pause = self._rest(reply, attempt)
            waited += pause
            if attempt == settings.retries or waited > self._call.remaining(settings.inline_wait):
                break
            self._call.sleep(pause, self._access.host)
        if failure is not None:
            raise failure
        assert reply is not None
        return reply

    def send_once(self, ask: Ask, scopes: Scopes) -> Reply:
        """For bodies that cannot be replayed. After a refusal the token is renewed for the next try, after a 429 the
        host rests; the trying again is the caller's."""
        authorization = self._wire.auth.authorize(self._access, scopes, self._call)
        reply = self._exchange(ask, authorization)
        if self._is_refused(reply):
            self._wire.auth.renew(self._access, scopes, replace(authorization, fresh=False), reply, self._call)
        if is_retryable(reply.status):
            self._rest(reply, 0)
        return reply

    def _try(self, ask: Ask, scopes: Scopes, *, gated: bool) -> tuple[Reply | None, RegistryError | None]:
        try:
            if not gated:
                return self._authenticated(ask, scopes), None
            with self._wire.gate.hold([self._access.host], self._call):
                return self._authenticated(ask, scopes), None
        except RegistryError as error:
            if error.permanent or error.retry_after is not None:
                raise
            self._call.check(self._access.host)
            return None, error

    def _authenticated(self, ask: Ask, scopes: Scopes) -> Reply:
        authorization = self._wire.auth.authorize(self._access, scopes, self._call)
        while True:
            reply = self._exchange(ask, authorization)
            if not self._is_refused(reply):
                return reply
            if reply.stream is not None:
                reply.stream.close()
            renewed = self._wire.auth.renew(self._access, scopes, authorization, reply, self._call)
            if renewed is None:
                return reply
            authorization = renewed

    def _is_refused(self, reply: Reply) -> bool:
        """Whether another log-in may help. ECR answers 403 to a token that has ended."""
        return reply.status == 401 or (reply.status == 403 and self._access.has_alternatives)

    def _exchange(self, ask: Ask, authorization: Authorization) -> Reply:
        """Credentials go to the registry itself alone: an upload's Location may be elsewhere."""
        header = authorization.header if ask.url.origin == self._home else None
        return self._wire.transport.exchange(replace(ask, authorization=header), self._access, self._call)

    def _rest(self, reply: Reply | None, attempt: int) -> float:
        """Seconds to wait before the next try; the whole host rests when it is the one that asks for it."""
        settings = self._wire.settings
        backoff = settings.backoff(attempt)
        if reply is None:
            return backoff
        asked = retry_after(reply.headers)
        pause = backoff if asked is None else asked
        if asked is not None or reply.status == 429:
            self._wire.gate.pause(self._access.host, pause)
        return pause


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds from now (RFC 9110 section 10.2.3: seconds or a date); None without a usable one."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - time.time())
