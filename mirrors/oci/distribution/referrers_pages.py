"""Pages of the referrers API (OCI distribution 1.1), and the responses of registries that do not have it."""

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
    """One page of a list of referrers, an index. `following` is the URL of the next page, from the reply of `hop`."""

    body: bytes = field(repr=False)
    following: Url | None
    hop: Hop


def page_of(reply: Reply, asked: Url, *, host: str) -> ReferrersPage:
    """Return the page in a reply. The next page must be at the origin where this one was `asked` for, or where the
    reply came from; a relative link means the latter. Raises RegistryError `address-refused` for any other origin."""
    link = next_link(reply.headers)
    following = reply.hop.url.follow(link, seen_by=host) if link else None
    if following is not None and following.origin not in (asked.origin, reply.hop.url.origin):
        raise RegistryError(
            "address-refused", f"{host} refers to another origin for the rest of its list of referrers", host=host
        )
    return ReferrersPage(reply.body, following, reply.hop)


def has_no_api(reply: Reply) -> bool:
    """Return whether the registry does not have the referrers API. The specification requires a 404; Artifactory
    responds with 406, others with 400, 405 or 501, or with 200 and other content."""
    return reply.status in _NO_SUCH_API or (reply.status == 200 and _is_something_else(reply))


def _is_something_else(reply: Reply) -> bool:
    """Return whether the body is a web page, or JSON that is not an index."""
    said = media_type(reply.headers)
    return said.startswith("text/") or (said != OCI_INDEX and b'"manifests"' not in reply.body)
