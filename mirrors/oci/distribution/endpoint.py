"""One registry's API: its URLs, the names of its repositories in messages, and the checks of its responses."""

from __future__ import annotations

from collections.abc import Set

from mirrors.oci.common import descriptors
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.errors import RegistryError, error_from_reply
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution.headers import content_digest, retry_after
from mirrors.oci.http.transport import Reply, Transport


class RegistryEndpoint:
    """The API of the registry that ``access`` names."""

    def __init__(self, transport: Transport, access: RegistryAccess) -> None:
        self._transport = transport
        self._access = access

    def url(self, repository: str, rest: str) -> Url:
        return self._transport.api(self._access, f"/v2/{repository}/{rest}")

    def name(self, repository: str, reference: str = "") -> str:
        separator = "@" if descriptors.is_digest(reference) else ":"
        return f"{self._access.host}/{repository}{separator + reference if reference else ''}"

    def check_stored(self, reply: Reply, digest: str, what: str) -> str:
        """Return the digest that the registry reports as stored, "" if it reports none. Raises RegistryError
        `bad-digest` if it is of the same algorithm as the digest that was sent, and differs."""
        stored = content_digest(reply.headers)
        if descriptors.contradicts(stored, digest):
            raise RegistryError(
                "bad-digest", f"{self._access.host} stored {what} with another digest", host=self._access.host
            )
        return stored

    def expect(self, reply: Reply, statuses: Set[int], action: str) -> None:
        if reply.status not in statuses:
            error = error_from_reply(
                reply.status,
                reply.body,
                host=self._access.host,
                action=action,
                credentials_sent=reply.credentials_sent,
            )
            error.retry_after = retry_after(reply.headers)
            raise error
