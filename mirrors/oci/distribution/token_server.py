"""Token servers (Docker's token authentication): the requests to them, and the validation of their responses."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlencode

from mirrors.oci.common.access import Credential, CredentialSource, RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.request_urls import Origin, Url
from mirrors.oci.distribution.challenges import Challenge
from mirrors.oci.distribution.headers import retry_after
from mirrors.oci.http.transport import Hop, HttpRequest, Reply, Transport

MAX_TOKEN_SECONDS: Final = 86_400.0
"""The longest lifetime of a token, in seconds: longer ones are cut to a day. ECR's tokens have 12 hours."""

MAX_TOKEN_CHARACTERS: Final = 32_768
"""The maximum length of a token; Azure's, the longest known, have 5,000 characters."""

MAX_TOKEN_REPLY_BYTES: Final = 128 * 1024
"""The maximum size of a response, which may contain the token twice (`token` and `access_token`)."""

MAX_SCOPES: Final = 16
"""Scopes of a challenge that are passed on; registries request one or two."""

MIN_TOKEN_SECONDS: Final = 60.0
"""The minimum lifetime of a token in seconds, also for a token without one (token specification of distribution)."""

_TOKEN = re.compile(r"[\x21-\x7e]+")

Scopes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Realm:
    """The challenge of a registry, and the hop that sent it. `is_guess`: the registry never sent one."""

    challenge: Challenge
    hop: Hop
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class AuthOrigin:
    """One origin that requests of one access reach.

    Only the registry's own origin may receive the credentials. Others (redirects, upload Locations) get anonymous
    tokens.
    """

    access: RegistryAccess
    origin: Origin
    is_home: bool

    @property
    def credentials(self) -> tuple[Credential | CredentialSource, ...]:
        return self.access.credentials if self.is_home else ()


def fetch(
    transport: Transport, origin: AuthOrigin, credential: Credential | None, realm: Realm, scopes: Scopes, call: Call
) -> Reply:
    """Send one request to the token server that the challenge names."""
    challenge, access = realm.challenge, origin.access
    query = [("service", challenge.service)] if challenge.service else []
    # Another server has its own names for repositories: its challenge specifies the scope.
    own_scopes = scopes if origin.is_home or not challenge.scope else ()
    query += [("scope", scope) for scope in (*own_scopes, *extra_scopes(challenge, own_scopes))]
    url = Url.parse(challenge.realm, sent_by=access.host).with_query(urlencode(query, quote_via=quote))
    headers = {url.origin: basic(credential)} if credential else {}
    request = HttpRequest("GET", url, authorizations=headers, previous_hop=realm.hop, limit=MAX_TOKEN_REPLY_BYTES)
    return transport.exchange(request, access, call)


def extra_scopes(challenge: Challenge, scopes: Scopes) -> list[str]:
    """Return the scopes that the challenge requests in addition to these."""
    return [scope for scope in challenge.scope.split()[:MAX_SCOPES] if not _is_covered(scope, scopes)]


def differs(challenge: Challenge, previous: Challenge | None, scopes: Scopes) -> bool:
    """Return whether a token for this challenge may differ from a token for the challenge `previous`."""
    if previous is None or (challenge.realm, challenge.service) != (previous.realm, previous.service):
        return True
    return extra_scopes(challenge, scopes) != extra_scopes(previous, scopes)


def _is_covered(scope: str, scopes: Scopes) -> bool:
    name, _, actions = scope.rpartition(":")
    granted = {
        action
        for granted_scope in scopes
        if granted_scope.rpartition(":")[0] == name
        for action in granted_scope.rpartition(":")[2].split(",")
    }
    return set(actions.split(",")) <= granted


def basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def read_token(body: bytes, host: str) -> tuple[str, float]:
    """Return the token and its lifetime in seconds: at least a minute (Docker's token specification), at most a day."""
    try:
        document = json.loads(body)
        token = document.get("token") or document.get("access_token")
        lifetime = document.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        token, lifetime = None, None
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARACTERS or not _TOKEN.fullmatch(token):
        raise RegistryError("invalid", f"the token server of {host} sent no usable token", host=host)
    if not isinstance(lifetime, (int, float)) or not lifetime > MIN_TOKEN_SECONDS:
        return token, MIN_TOKEN_SECONDS
    return token, float(min(lifetime, MAX_TOKEN_SECONDS))


def failed(reply: Reply, host: str) -> RegistryError:
    """Return a transient error. Like a refusal by the registry itself, it can make the host count as rate limited."""
    code: Literal["rate-limited", "unavailable"] = "rate-limited" if reply.status == 429 else "unavailable"
    return RegistryError(
        code,
        f"the token server of {host} responded with {reply.status}; trying again",
        host=host,
        retry_after=retry_after(reply.headers),
    )


def refused(origin: AuthOrigin) -> RegistryError:
    host = origin.access.host
    if origin.credentials:
        message = (
            f"the token server of {host} rejected the credentials: check the username and password, and that the "
            "image exists"
        )
    else:
        server = host if origin.is_home else f"{origin.origin[1]}, where {host} redirects to,"
        message = f"{server} does not allow anonymous access: configure credentials, and check that the image exists"
    return RegistryError("unauthorized", message, host=host, credentials_sent=bool(origin.credentials), says_step=True)
