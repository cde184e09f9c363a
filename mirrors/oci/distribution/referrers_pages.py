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
    """One page of a list of referrers, an index. `next_url` is the URL of the next page, from the reply of `hop`."""

    body: bytes = field(repr=False)
    next_url: Url | None
    hop: Hop


def page_of(reply: Reply, requested: Url, *, host: str) -> ReferrersPage:
    """Return the page in a reply to a request of the URL `requested`. The next page must be at the same origin, or
    where the reply came from; a relative link means the latter. Raises RegistryError `address-refused` for any other
    origin."""
    link = next_link(reply.headers)
    next_url = reply.hop.url.follow(link, sent_by=host) if link else None
    if next_url is not None and next_url.origin not in (requested.origin, reply.hop.url.origin):
        raise RegistryError(
            "address-refused", f"{host} refers to another origin for the rest of its list of referrers", host=host
        )
    return ReferrersPage(reply.body, next_url, reply.hop)


def has_no_api(reply: Reply) -> bool:
    """Return whether the registry does not have the referrers API. The specification requires a 404; Artifactory
    responds with 406, others with 400, 405 or 501, or with 200 and other content."""
    return reply.status in _NO_SUCH_API or (reply.status == 200 and _is_not_an_index(reply))


def _is_not_an_index(reply: Reply) -> bool:
    """Return whether the body is a web page, or JSON that is not an index."""
    content_type = media_type(reply.headers)
    return content_type.startswith("text/") or (content_type != OCI_INDEX and b'"manifests"' not in reply.body)
