"""Sends one request until its reply is final: adds credentials, keeps to the host's slots, waits and retries if
useful."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.engine_settings import EngineSettings
from mirrors.oci.common.errors import RegistryError, is_retryable
from mirrors.oci.common.request_urls import Origin
from mirrors.oci.distribution.auth_sessions import NO_AUTHORIZATION, Authorization
from mirrors.oci.distribution.authenticator import Authenticator
from mirrors.oci.distribution.budgets import RequestBudgets, operations
from mirrors.oci.distribution.headers import PullLimit, pull_limit, retry_after
from mirrors.oci.distribution.throttle import Gate
from mirrors.oci.distribution.token_server import AuthOrigin, Scopes
from mirrors.oci.http.transport import HttpRequest, Reply, Transport

HIDING_STATUSES: Final = frozenset({401, 403, 404})
"""The statuses with which registries refuse or hide content from anonymous clients."""

LIMITED: Final = "rate-limited"
MAX_ORIGINS: Final = 4
"""Servers of one registry that may each require authentication for one request, because of redirects."""

OnRemaining = Callable[[str, PullLimit, str], None]
"""Called with the host, the pulls that it still allows, and the username of the credentials sent, "" without any."""


@dataclass(frozen=True, slots=True)
class HttpContext:
    """The objects that all requests of an engine share."""

    transport: Transport
    auth: Authenticator
    gate: Gate
    settings: EngineSettings
    budgets: RequestBudgets
    on_remaining: OnRemaining | None = None


class Sender:
    """Sends requests to one registry on behalf of one call."""

    def __init__(self, http: HttpContext, access: RegistryAccess, call: Call) -> None:
        self._http = http
        self._access = access
        self._call = call
        self._home = AuthOrigin(access, http.transport.api(access, "/").origin, is_home=True)

    @property
    def stall_timeout(self) -> float:
        return self._http.settings.stall_timeout

    def send(self, request: HttpRequest, scopes: Scopes, *, gated: bool = True, tries: int | None = None) -> Reply:
        """Return the first final reply, or the last one if `tries` are used up or the requested wait is too long.
        Raises RegistryError if the registry cannot be reached, or is rate limited for too long (with `retry_after`)."""
        settings = self._http.settings
        last_attempt = settings.retries if tries is None else tries - 1
        waited = 0.0
        for attempt in range(last_attempt + 1):
            reply, failure = self._try(request, scopes, gated=gated)
            if reply is not None and not is_retryable(reply.status):
                return reply
            pause = self._pause_after(reply, failure, attempt)
            waited += pause
            if attempt == last_attempt or waited > self._call.remaining(settings.inline_wait):
                break
            self._http.gate.sleep(self._access.host, pause, self._call)
        if failure is not None:
            raise failure
        assert reply is not None
        return reply

    def send_once(self, request: HttpRequest, scopes: Scopes) -> Reply:
        """Send a request whose body cannot be replayed. After a refusal, the token is renewed for the next try; after a
        429, the host counts as rate limited. The caller has to try again."""
        self._http.gate.spend(self._access.host, self._call, operations(request.method, request.url.target))
        origin = self._auth_origin(request.url.origin)
        authorization = self._http.auth.authorize(origin, scopes, self._call)
        reply = self._exchange(request, {origin: authorization})
        if self._is_refused(reply, origin):
            self._http.auth.renew(origin, scopes, replace(authorization, fresh=False), reply, self._call)
        if is_retryable(reply.status):
            self._pause_after(reply, None, 0)
        return reply

    def _try(self, request: HttpRequest, scopes: Scopes, *, gated: bool) -> tuple[Reply | None, RegistryError | None]:
        host, operation_names = self._access.host, operations(request.method, request.url.target)
        try:
            if not gated:
                self._http.gate.spend(host, self._call, operation_names)
                return self._authenticated(request, scopes), None
            with self._http.gate.hold([host], self._call, operations=operation_names):
                return self._authenticated(request, scopes), None
        except RegistryError as error:
            if error.permanent:
                raise
            self._call.check(self._access.host)
            return None, error

    def _authenticated(self, request: HttpRequest, scopes: Scopes) -> Reply:
        """Send the request. Answer the challenges of each origin on the way as long as another authorization is left to
        try."""
        home = self._auth_origin(request.url.origin)
        sent = self._http.auth.redirect_authorizations(home, scopes)
        sent[home] = self._http.auth.authorize(home, scopes, self._call)
        while True:
            reply = self._exchange(request, sent)
            origin = self._auth_origin(reply.hop.url.origin)
            if len(sent) > MAX_ORIGINS or not self._is_refused(reply, origin):
                return self._retry_with_credentials(request, scopes, reply, sent.get(origin, NO_AUTHORIZATION))
            if reply.stream is not None:
                reply.stream.close()
            renewed = self._http.auth.renew(origin, scopes, sent.get(origin, NO_AUTHORIZATION), reply, self._call)
            if renewed is None:
                return self._retry_with_credentials(request, scopes, reply, sent.get(origin, NO_AUTHORIZATION))
            sent[origin] = renewed

    def _retry_with_credentials(self, request: HttpRequest, scopes: Scopes, reply: Reply, sent: Authorization) -> Reply:
        """Send the request again with credentials if the registry refused or hid the content without a challenge."""
        origin = self._auth_origin(reply.hop.url.origin)
        if reply.status not in HIDING_STATUSES or not origin.is_home or sent.header is not None:
            return reply
        authorization = self._http.auth.discover(origin, scopes, self._call)
        if authorization is None:
            return reply
        retried = self._exchange(request, {origin: authorization})
        if retried.status in HIDING_STATUSES:
            self._http.auth.forget_guess(origin, scopes, self._call)
        return retried

    def _auth_origin(self, origin: Origin) -> AuthOrigin:
        return self._home if origin == self._home.origin else AuthOrigin(self._access, origin, is_home=False)

    def _is_refused(self, reply: Reply, origin: AuthOrigin) -> bool:
        """Return whether other credentials, or a newer token of the same ones, may help. ECR answers an expired token
        with 403."""
        return reply.status == 401 or (reply.status == 403 and origin.is_home and self._access.has_alternatives)

    def _exchange(self, request: HttpRequest, sent: Mapping[AuthOrigin, Authorization]) -> Reply:
        """Send the request. Each origin receives only its own header, because an upload's Location or a redirect may
        lead to another server."""
        headers = {
            origin.origin: authorization.header for origin, authorization in sent.items() if authorization.header
        }
        reply = self._http.transport.exchange(replace(request, authorizations=headers), self._access, self._call)
        authorized_as = sent.get(self._auth_origin(reply.hop.url.origin), NO_AUTHORIZATION)
        if self._http.on_remaining is not None and (pulls := pull_limit(reply.headers)) is not None:
            self._http.on_remaining(self._access.host, pulls, authorized_as.username)
        return replace(reply, credentials_sent=True) if authorized_as.has_credentials else reply

    def _pause_after(self, reply: Reply | None, failure: RegistryError | None, attempt: int) -> float:
        """Return the seconds to wait before the next try: as long as the registry requests, and never less than the
        backoff. If the registry or its token server requests a wait or responds with 429, the whole host counts as rate
        limited."""
        backoff = self._http.settings.backoff(attempt)
        requested_pause = retry_after(reply.headers) if reply is not None else failure.retry_after if failure else None
        is_limited = (reply is not None and reply.status == 429) or (failure is not None and failure.code == LIMITED)
        pause = max(backoff, requested_pause or 0.0)
        if requested_pause is not None or is_limited:
            self._http.gate.pause(self._access.host, pause)
            self._http.budgets.pause(self._access.host, pause)
        return pause
