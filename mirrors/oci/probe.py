"""Checks of whether a registry can be used: name, connection, credentials, permissions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.errors import RegistryError, error_from_reply
from mirrors.oci.common.request_urls import split_host
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext, Sender
from mirrors.oci.http.addresses import resolve
from mirrors.oci.http.transport import HttpRequest, Reply

STEP_SECONDS = 15.0
"""The time limit of one check in seconds: short for a user who waits, but enough for a slow registry."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The checks of one registry, reached as `access` specifies. Each raises RegistryError, or returns its result in
    words."""

    http: HttpContext
    access: RegistryAccess
    is_closed: Callable[[], bool]

    def name(self) -> str:
        """Resolve the name of the registry, and check each address against the rules."""
        host, port = split_host(self.access.connect_to or self.access.api_host, 80 if self.access.insecure else 443)
        addresses = resolve(host, port, private_allowed=self.access.private_allowed, timeout=STEP_SECONDS)
        return f"{host} has {len(addresses)} address{'es' if len(addresses) > 1 else ''}"

    def connection(self) -> str:
        """Send an anonymous request over TLS, or over plain HTTP if that is configured."""
        started = time.monotonic()
        reply = self._request_anonymously()
        if reply.status not in (200, 401):
            raise error_from_reply(
                reply.status, reply.body, host=self.access.host, action="requesting /v2/", credentials_sent=False
            )
        protocol = (
            "plain HTTP, which is configured" if self.access.insecure else "TLS, with a certificate that is trusted"
        )
        return f"responds over {protocol}, in {1000 * (time.monotonic() - started):.0f} ms"

    def log_in(self) -> str:
        reply = Sender(self.http, self.access, self._call()).send(self._version_request(self.access), ())
        if reply.status != 200:
            raise error_from_reply(
                reply.status,
                reply.body,
                host=self.access.host,
                action="signing in",
                credentials_sent=reply.credentials_sent,
            )
        if self.access.credentials and not reply.credentials_sent:
            return "access is anonymous; the registry did not request credentials"
        return "the credentials were accepted" if self.access.credentials else "anonymous access is allowed"

    def read(self, repository: str, reference: str) -> str:
        descriptor = self._client().head_manifest(repository, reference)
        if descriptor is None:
            raise RegistryError(
                "not-found",
                f"{repository}:{reference} was not found; check what the credentials can read, and that it exists",
                host=self.access.host,
                says_step=True,
            )
        return f"can read {repository}"

    def write(self, repository: str) -> str:
        """Open an upload and abandon it, so that nothing is left behind."""
        client = self._client()
        client.uploads.abandon(repository, client.uploads.start(repository))
        return f"can write to {repository}"

    def round_trip(self, times: int = 3) -> str:
        durations = []
        for _ in range(times):
            started = time.monotonic()
            self._request_anonymously()
            durations.append(time.monotonic() - started)
        return f"{1000 * sorted(durations)[times // 2]:.0f} ms, median of {times}"

    def _request_anonymously(self) -> Reply:
        """Request `/v2/` without credentials, and return the reply whatever its status."""
        anonymous = replace(self.access, credentials=())
        return self.http.transport.exchange(self._version_request(anonymous), anonymous, self._call())

    def _version_request(self, access: RegistryAccess) -> HttpRequest:
        return HttpRequest("GET", self.http.transport.api(access, "/v2/"))

    def _client(self) -> RegistryClient:
        return RegistryClient(self.http, self.access, self._call())

    def _call(self) -> Call:
        return Call(timeout=STEP_SECONDS, cancelled=self.is_closed)
