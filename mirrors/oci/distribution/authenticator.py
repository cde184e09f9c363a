"""Authentication at registries: answers challenges, stores tokens, renews each before it expires, one thread at a
time."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeVar

from mirrors.oci.common.access import Credential, Issued, RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.errors import RegistryError, is_retryable
from mirrors.oci.distribution import token_server
from mirrors.oci.distribution.auth_sessions import NO_AUTHORIZATION, Authorization, AuthSession
from mirrors.oci.distribution.challenges import Challenge, choose_challenge, is_token_invalid
from mirrors.oci.distribution.token_server import AuthOrigin, Realm, Scopes, differs
from mirrors.oci.http.transport import HttpRequest, Reply, Transport

REFRESH_MARGIN_SECONDS: Final = 15.0
"""Seconds before its expiry in which a token is no longer used, because a request may take so long to arrive."""

NEW_TOKEN_SECONDS: Final = 2.0
"""The age in seconds from which all servers accept a token: the clocks of a large registry's differ by about a
second."""

MAX_REDIRECT_ORIGINS: Final = 4
"""The number of origins that one registry redirects to and that are remembered, with their own tokens."""

GUESS_AGAIN_SECONDS: Final = 300.0
"""Seconds for which Basic authentication is not tried again at a registry without a challenge where it did not help."""

MAX_SESSIONS: Final = 4_096
"""The number of tokens that are remembered, one for each repository and permission; some MB."""

CREDENTIAL_TIMEOUT_SECONDS: Final = 20.0
"""The time limit for issuing credentials on demand, in seconds, unless the call has less time."""

K = TypeVar("K")
V = TypeVar("V")


def pull_scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    return f"repository:{repository}:pull,push"


class Authenticator:
    """Authorizes requests. Thread-safe; each engine has one. Stores tokens in memory only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sessions: OrderedDict[tuple[AuthOrigin, Scopes], AuthSession] = OrderedDict()
        self._realms: OrderedDict[AuthOrigin, Realm] = OrderedDict()
        """The last realm of each origin, without the scope of its challenge, which belongs to one repository."""
        self._redirect_origins: OrderedDict[RegistryAccess, tuple[AuthOrigin, ...]] = OrderedDict()
        self._failed_guesses: OrderedDict[RegistryAccess, float] = OrderedDict()
        self._lock = threading.Lock()

    def authorize(self, origin: AuthOrigin, scopes: Scopes, call: Call) -> Authorization:
        """Return the authorization for the first try of a request: none until the registry has sent a challenge."""
        session = self._session(origin, scopes)
        with call.holding(session.lock, origin.access.host):
            if stored := session.authorization:
                return stored
            realm = self._realms.get(origin)
            if realm is None:
                return NO_AUTHORIZATION
            return self._obtain_preemptively(session, origin, realm, scopes, call)

    def _obtain_preemptively(
        self, session: AuthSession, origin: AuthOrigin, realm: Realm, scopes: Scopes, call: Call
    ) -> Authorization:
        """Obtain an authorization for a challenge that the registry sent earlier, for these scopes or for others. If
        that is refused, return none, so that the registry sends its challenge for this request."""
        challenge = session.challenge or realm.challenge
        try:
            authorization = self._obtain(session, origin, replace(realm, challenge=challenge), scopes, call)
        except RegistryError as error:
            session.challenge = None
            if error.code != "unauthorized":
                raise
            return NO_AUTHORIZATION
        session.is_preemptive = True
        return authorization

    def redirect_authorizations(self, home: AuthOrigin, scopes: Scopes) -> dict[AuthOrigin, Authorization]:
        """Return the authorizations that are still valid for other origins that this registry has redirected to."""
        with self._lock:
            origins = self._redirect_origins.get(home.access, ())
            sessions = {origin: self._sessions.get((origin, scopes)) for origin in origins}
        stored = {origin: session.authorization for origin, session in sessions.items() if session is not None}
        return {origin: authorization for origin, authorization in stored.items() if authorization is not None}

    def renew(
        self, origin: AuthOrigin, scopes: Scopes, refused: Authorization, reply: Reply, call: Call
    ) -> Authorization | None:
        """Return the authorization to send after `reply` refused the one in `refused`; None if nothing is left to
        try."""
        session = self._session(origin, scopes)
        with call.holding(session.lock, origin.access.host):
            if (stored := session.authorization) and stored.header != refused.header:
                return stored
            challenges = reply.headers.getlist("WWW-Authenticate")
            seconds = session.issued_at + NEW_TOKEN_SECONDS - time.monotonic()
            if stored and is_token_invalid(challenges) and 0 < 2 * seconds < call.remaining(math.inf):
                # A server whose clock is behind accepts the token a moment later. Its response needs time too.
                call.sleep(seconds, origin.access.host)
                return replace(stored, fresh=refused.fresh)
            challenge = choose_challenge(challenges)
            realm = Realm(challenge, reply.hop) if challenge else self._realms.get(origin)
            if realm is None:
                return None
            self._remember(origin, realm)
            session.header = None
            used_other_challenge = (
                session.is_preemptive and challenge is not None and differs(challenge, session.challenge, scopes)
            )
            if refused.fresh and not used_other_challenge:
                session.credential += 1
                if session.credential >= len(origin.credentials):
                    session.credential = 0
                    return None
            authorization = self._obtain(session, origin, realm, scopes, call, refused_password=session.password)
            is_unchanged = authorization.header == refused.header and not authorization.fresh
            return None if authorization.header is None or is_unchanged else authorization

    def discover(self, origin: AuthOrigin, scopes: Scopes, call: Call) -> Authorization | None:
        """Return an authorization for a registry that refuses or hides content without a challenge. Requests `/v2/` for
        a challenge, and guesses Basic if that has none either. None if there is nothing to try."""
        if not origin.credentials or self._realms.get(origin) is not None or self._was_guessed_recently(origin.access):
            return None
        url = self._transport.api(origin.access, "/v2/")
        reply = self._transport.exchange(HttpRequest("GET", url), origin.access, call)
        challenge = (
            choose_challenge(reply.headers.getlist("WWW-Authenticate"))
            if reply.hop.url.origin == origin.origin
            else None
        )
        self._remember(origin, Realm(challenge or Challenge("basic"), reply.hop, is_guess=challenge is None))
        session = self._session(origin, scopes)
        with call.holding(session.lock, origin.access.host):
            return self._obtain(session, origin, self._realms[origin], scopes, call)

    def forget_guess(self, origin: AuthOrigin, scopes: Scopes, call: Call) -> None:
        """Forget the guess of `discover`, because it did not help, and do not guess again for a while."""
        realm = self._realms.get(origin)
        if realm is None or not realm.is_guess:
            return
        session = self._session(origin, scopes)
        with call.holding(session.lock, origin.access.host):
            session.header = None
        with self._lock:
            self._realms.pop(origin, None)
            _store(self._failed_guesses, origin.access, time.monotonic())

    def _was_guessed_recently(self, access: RegistryAccess) -> bool:
        return time.monotonic() - self._failed_guesses.get(access, -GUESS_AGAIN_SECONDS) < GUESS_AGAIN_SECONDS

    def _session(self, origin: AuthOrigin, scopes: Scopes) -> AuthSession:
        with self._lock:
            session = self._sessions.get((origin, scopes)) or AuthSession()
            _store(self._sessions, (origin, scopes), session)
            return session

    def _remember(self, origin: AuthOrigin, realm: Realm) -> None:
        with self._lock:
            _store(self._realms, origin, replace(realm, challenge=replace(realm.challenge, scope="")))
            origins = self._redirect_origins.get(origin.access, ())
            if not origin.is_home and origin not in origins:
                _store(self._redirect_origins, origin.access, (origin, *origins)[:MAX_REDIRECT_ORIGINS])

    def _obtain(
        self,
        session: AuthSession,
        origin: AuthOrigin,
        realm: Realm,
        scopes: Scopes,
        call: Call,
        refused_password: str | None = None,
    ) -> Authorization:
        """Fill the session with an authorization for the first credentials, from the current ones on, that the token
        server accepts. Raises RegistryError if it accepts none."""
        session.challenge, session.is_preemptive = realm.challenge, False
        for index in range(session.credential, max(1, len(origin.credentials))):
            session.credential = index
            for issued in self._issue(origin, index, call, refused_password):
                session.password = issued.credential.password if issued.credential else None
                session.has_credentials = issued.credential is not None
                session.username = issued.credential.username if issued.credential else ""
                if realm.challenge.scheme == "basic":
                    session.header = token_server.basic(issued.credential) if issued.credential else None
                    session.expires_at, session.issued_at = issued.expires_at, -math.inf
                    return session.to_authorization(fresh=issued.fresh)
                reply = token_server.fetch(self._transport, origin, issued.credential, realm, scopes, call)
                if reply.status == 200:
                    token, lifetime = token_server.read_token(reply.body, origin.access.host)
                    session.header = f"Bearer {token}"
                    session.issued_at = time.monotonic()
                    session.expires_at = session.issued_at + lifetime - REFRESH_MARGIN_SECONDS
                    return session.to_authorization(fresh=True)
                if is_retryable(reply.status):
                    raise token_server.failed(reply, origin.access.host)
        session.credential = 0
        raise token_server.refused(origin)

    def _issue(self, origin: AuthOrigin, index: int, call: Call, refused: str | None) -> Iterator[Issued]:
        """Yield the credentials of this index. If they are issued on demand, and the caller continues because they were
        refused, yield newer ones too."""
        credential = origin.credentials[index] if origin.credentials else None
        if credential is None or isinstance(credential, Credential):
            yield Issued(credential, float("inf"), fresh=True)
            return
        issued = credential.issue(timeout=call.remaining(CREDENTIAL_TIMEOUT_SECONDS), refused=refused)
        yield issued
        if not issued.fresh:
            password = issued.credential.password if issued.credential else None
            newer = credential.issue(timeout=call.remaining(CREDENTIAL_TIMEOUT_SECONDS), refused=password)
            if newer.fresh:
                yield newer


def _store(cache: OrderedDict[K, V], key: K, value: V) -> None:
    """Store the value, and remove the oldest one beyond MAX_SESSIONS, because pods choose the hosts."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > MAX_SESSIONS:
        cache.popitem(last=False)
