"""Pages of the referrers API (OCI distribution 1.1), and how registries answer that do not have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import OCI_INDEX
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution.headers import media_type, next_link
from mirrors.oci.http.transport import Hop, Reply

_NO_SUCH_API: Final = frozenset({400, 404, 405, 406, 501})


@dataclass(frozen=True, slots=True)
class ReferrersPage:
    """A part of a list of referrers, an index; `following` is where the next part is, as the reply from `hop` says."""

    body: bytes = field(repr=False)
    following: Url | None
    hop: Hop


def page_of(reply: Reply, asked: Url, *, host: str) -> ReferrersPage:
    """The next page is where this one was `asked` for, or where it came from: a relative link means the latter. Raises
    RegistryError `address-refused` for any other place."""
    link = next_link(reply.headers)
    following = reply.hop.url.follow(link, seen_by=host) if link else None
    if following is not None and following.origin not in (asked.origin, reply.hop.url.origin):
        raise RegistryError("address-refused", f"{host} has its list of referrers elsewhere", host=host)
    return ReferrersPage(reply.body, following, reply.hop)


def has_no_api(reply: Reply) -> bool:
    """Whether the registry does not know the referrers API. The specification demands a 404; Artifactory answers 406,
    others 400, 405 or 501, or 200 with something else."""
    return reply.status in _NO_SUCH_API or (reply.status == 200 and _is_something_else(reply))


def _is_something_else(reply: Reply) -> bool:
    """A page for people, or JSON that is not an index."""
    said = media_type(reply.headers)
    return said.startswith("text/") or (said != OCI_INDEX and b'"manifests"' not in reply.body)
