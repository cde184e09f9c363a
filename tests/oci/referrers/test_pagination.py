"""Lists of referrers over several pages, and the location of the next page."""

from __future__ import annotations

import json

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.listed import REFERRERS, bundle, load
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import reply
from tests.support.registry_profiles import referrers


def test_all_pages_of_a_list_are_read(engine: Engine, profiled: MakeProfiled) -> None:
    source, target = profiled(page=2), profiled()
    image = load(source)
    digests = {bundle(image.root, number=str(n)).load(source.storage, "app") for n in range(7)}

    result = mirror(engine, source, target)

    assert digests <= {digest for _, digest in target.storage.manifests}
    assert (result.found, result.copied, result.problems) == (7, 7, ())
    assert source.count(f"{REFERRERS}{image.root}") == 4


@pytest.mark.parametrize(
    "link", ["/v2/app/referrers/{root}?last=1", "?last=1", "http://{host}/v2/app/referrers/{root}?last=1"]
)
def test_all_pages_of_a_registry_that_redirects_are_read(engine: Engine, profiled: MakeProfiled, link: str) -> None:
    """registry.k8s.io redirects every request to a nearby mirror."""
    source, mirror_of_it, target = profiled(), profiled(), profiled()
    image = load(mirror_of_it)
    digests = {bundle(image.root, number=str(n)).load(mirror_of_it.storage, "app") for n in range(2)}

    def redirect(handler: Handler) -> bool:
        return reply(307, Location=f"http://{mirror_of_it.host}{handler.path}")(handler)

    def link_to_next(handler: Handler) -> bool:
        entries = referrers(mirror_of_it.storage, "app", image.root)
        to = link.format(root=image.root, host=mirror_of_it.host)
        more = {} if "last" in handler.query else {"Link": f'<{to}>; rel="next"'}
        page = {"schemaVersion": 2, "manifests": entries[1:] if "last" in handler.query else entries[:1]}
        return reply(200, json.dumps(page).encode(), Content_Type=OCI_INDEX, **more)(handler)

    source.on("(GET|HEAD) ", redirect, times=99)
    mirror_of_it.on(f"{REFERRERS}{image.root}", link_to_next, times=99)

    result = mirror(engine, source, target)

    assert (result.copied, result.is_signed, result.problems) == (2, True, ())
    assert digests <= {digest for _, digest in target.storage.manifests}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ('</v2/app/referrers/{}?last=0>; rel="next"', "does not end"),
        ('<http://169.254.169.254/x>; rel="next"', "another origin"),
        ('<http://localhost:1/x>; rel="next"', "another origin"),
        ('<http://[::1>; rel="next"', "cannot be used"),
    ],
)
def test_an_endless_or_invalid_next_link_is_reported(
    engine: Engine, profiled: MakeProfiled, link: str, words: str
) -> None:
    source, target = profiled(), profiled()
    image = load(source)
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    source.on(f"{REFERRERS}{image.root}", reply(200, index, Link=link.format(image.root)), times=99)

    result = mirror(engine, source, target)

    assert target.storage.tags["app", "1.0"] == image.root
    assert words in result.problems[0]
    assert result.is_signed is None
    assert source.count(REFERRERS) < 10
