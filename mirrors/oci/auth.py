"""Who we are at a registry: answers challenges, keeps tokens, refreshes each before it ends, once at a time."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from mirrors.oci.access import Credential, Issued, RegistryAccess
from mirrors.oci.calls import Call
from mirrors.oci.challenges import Challenge, best
from mirrors.oci.errors import RegistryError, is_retryable
from mirrors.oci.transport import Ask, Hop, Reply, Transport
from mirrors.oci.urls import Url

MIN_TOKEN_SECONDS = 60.0
REFRESH_MARGIN_SECONDS = 15.0
MAX_SESSIONS = 4096
CREDENTIAL_PATIENCE_SECONDS = 20.0
"""How long a log-in that is made anew may take where nothing else bounds the call."""

_TOKEN = re.compile(r"[\x21-\x7e]+")

Scopes = tuple[str, ...]


def pull_scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    return f"repository:{repository}:pull,push"


@dataclass(frozen=True, slots=True)
class Authorization:
    """A header value. `fresh` means it was made for this very request, so a refusal is about the credential."""

    header: str | None = field(repr=False)
    fresh: bool


@dataclass(slots=True)
class _Session:
    """What one access may do in one set of scopes. Only touched while its lock is held."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    credential: int = 0
    header: str | None = None
    expires_at: float = 0.0
    password: str | None = None


@dataclass(frozen=True, slots=True)
class _Realm:
    """The challenge a registry answered with, and where that answer came from."""

    challenge: Challenge
    hop: Hop


class Authenticator:
    """Thread-safe; one an engine. Tokens live in memory only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sessions: OrderedDict[tuple[RegistryAccess, Scopes], _Session] = OrderedDict()
        self._realms: OrderedDict[RegistryAccess, _Realm] = OrderedDict()
        self._lock = threading.Lock()

    def authorize(self, access: RegistryAccess, scopes: Scopes, call: Call) -> Authorization:
        """What to send with the first try: nothing as long as the registry has not asked for anything."""
        session = self._session(access, scopes)
        with call.holding(session.lock, access.host):
            if session.header is not None and time.monotonic() < session.expires_at:
                return Authorization(session.header, fresh=False)
            realm = self._realms.get(access)
            if realm is None:
                return Authorization(None, fresh=False)
            return self._obtain(session, access, realm, scopes, call)

    def renew(
        self, access: RegistryAccess, scopes: Scopes, refused: Authorization, reply: Reply, call: Call
    ) -> Authorization | None:
        """What to send after `refused` was refused by `reply`; None when there is nothing left to try."""
        session = self._session(access, scopes)
        with call.holding(session.lock, access.host):
            if session.header not in (None, refused.header) and time.monotonic() < session.expires_at:
                return Authorization(session.header, fresh=False)
            challenge = best(reply.headers.getlist("WWW-Authenticate"))
            realm = _Realm(challenge, reply.hop) if challenge else self._realms.get(access)
            if realm is None:
                return None
            self._remember(access, realm)
            session.header = None
            if refused.fresh:
                session.credential += 1
                if session.credential >= len(access.credentials):
                    session.credential = 0
                    return None
            found = self._obtain(session, access, realm, scopes, call, refused_password=session.password)
            is_the_same = found.header == refused.header and not found.fresh
            return None if found.header is None or is_the_same else found

    def _session(self, access: RegistryAccess, scopes: Scopes) -> _Session:
        with self._lock:
            session = self._sessions.setdefault((access, scopes), _Session())
            self._sessions.move_to_end((access, scopes))
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return session

    def _remember(self, access: RegistryAccess, realm: _Realm) -> None:
        with self._lock:
            self._realms[access] = realm
            self._realms.move_to_end(access)
            if len(self._realms) > MAX_SESSIONS:
                self._realms.popitem(last=False)

    def _obtain(
        self,
        session: _Session,
        access: RegistryAccess,
        realm: _Realm,
        scopes: Scopes,
        call: Call,
        refused_password: str | None = None,
    ) -> Authorization:
        """Fills the session with the first log-in, from its current one on, that gets an answer."""
        for index in range(session.credential, max(1, len(access.credentials))):
            session.credential = index
            for issued in self._log_ins(access, index, call, refused_password):
                session.password = issued.credential.password if issued.credential else None
                if realm.challenge.scheme == "basic":
                    session.header = _basic(issued.credential) if issued.credential else None
                    session.expires_at = issued.expires_at
                    return Authorization(session.header, issued.fresh)
                reply = self._fetch_token(access, issued.credential, realm, scopes, call)
                if reply.status == 200:
                    token, lifetime = _read_token(reply.body, access.host)
                    session.header = f"Bearer {token}"
                    session.expires_at = time.monotonic() + lifetime - REFRESH_MARGIN_SECONDS
                    return Authorization(session.header, fresh=True)
                if is_retryable(reply.status):
                    raise _token_server_failed(reply, access.host)
        session.credential = 0
        raise RegistryError(
            "unauthorized",
            f"the token server of {access.host} refused to let us in; check the credentials, and that the image exists",
            host=access.host,
        )

    def _log_ins(self, access: RegistryAccess, index: int, call: Call, refused: str | None) -> Iterator[Issued]:
        """The log-in of this index; where it is one that is made anew, and the first one was not taken, a newer one."""
        chosen = access.credentials[index] if access.credentials else None
        if chosen is None or isinstance(chosen, Credential):
            yield Issued(chosen, float("inf"), fresh=True)
            return
        issued = chosen.issue(timeout=call.remaining(CREDENTIAL_PATIENCE_SECONDS), refused=refused)
        yield issued
        if not issued.fresh:
            password = issued.credential.password if issued.credential else None
            newer = chosen.issue(timeout=call.remaining(CREDENTIAL_PATIENCE_SECONDS), refused=password)
            if newer.fresh:
                yield newer

    def _fetch_token(
        self, access: RegistryAccess, credential: Credential | None, realm: _Realm, scopes: Scopes, call: Call
    ) -> Reply:
        challenge = realm.challenge
        query = [("service", challenge.service)] if challenge.service else []
        extra = [scope for scope in challenge.scope.split() if not _is_covered(scope, scopes)]
        query += [("scope", scope) for scope in (*scopes, *extra)]
        url = Url.parse(challenge.realm, seen_by=access.host).with_query(urlencode(query, quote_via=quote))
        header = _basic(credential) if credential else None
        return self._transport.exchange(Ask("GET", url, authorization=header, came_from=realm.hop), access, call)


def _is_covered(scope: str, scopes: Scopes) -> bool:
    name, _, actions = scope.rpartition(":")
    ours = {action for own in scopes if own.rpartition(":")[0] == name for action in own.rpartition(":")[2].split(",")}
    return set(actions.split(",")) <= ours


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _read_token(body: bytes, host: str) -> tuple[str, float]:
    """The token and its lifetime in seconds, which is at least a minute (Docker's token specification)."""
    try:
        answer = json.loads(body)
        token = answer.get("token") or answer.get("access_token")
        lifetime = answer.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        token, lifetime = None, None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RegistryError("invalid", f"the token server of {host} sent no token", host=host)
    seconds = float(lifetime) if isinstance(lifetime, (int, float)) else MIN_TOKEN_SECONDS
    return token, max(MIN_TOKEN_SECONDS, seconds)


def _token_server_failed(reply: Reply, host: str) -> RegistryError:
    code = "rate-limited" if reply.status == 429 else "unavailable"
    return RegistryError(code, f"the token server of {host} answered {reply.status}", host=host)  # type: ignore[arg-type]
