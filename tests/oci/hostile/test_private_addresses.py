"""A hostile registry reaches nothing: no redirect, upload, list or token server leads to an internal address."""

from __future__ import annotations

import json

import pytest

from mirrors.demo.images import sample_image
from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, Engine, RegistryError
from tests.oci.conftest import LOGIN, Internet, access, port_of, public_access
from tests.oci.hostile.hostile_copy import ALWAYS, ends_soon, failed, registry_of
from tests.support.faulty_registry import Action, FaultyRegistry, reply

INSIDE = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "169.254.169.254",
    "[fe80::1]",
    "10.0.0.1",
    "172.31.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "[fd00:ec2::254]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "inside.test",
    "turns.test",
    "postgres",
]
"""Addresses that are not public, in each notation, and names that resolve to them, some only at the second lookup."""


def led_to(where: str, url: str) -> tuple[str, Action]:
    """Return a request, and the response to it that leads to the URL."""
    if where == "token realm":
        return "(HEAD|GET) .*/manifests/", reply(401, WWW_Authenticate=f'Bearer realm="{url}",service="x"')
    return {"manifest": "(HEAD|GET) .*/manifests/", "blob": "GET .*/blobs/"}[where], reply(307, Location=url)


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("where", ["manifest", "blob", "token realm"])
def test_redirects_and_realms_do_not_lead_to_private_addresses(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, where: str, inside: str
) -> None:
    victim = port_of(target)
    source.on(*led_to(where, f"http://{inside}:{victim}/latest/meta-data"), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in {"address-refused", "invalid", "unavailable"}
    assert not target.found(".*meta-data")
    assert not any("Authorization" in requested.headers for requested in target.requests)


@pytest.mark.parametrize("inside", INSIDE)
def test_an_upload_location_does_not_lead_to_a_private_address(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, inside: str
) -> None:
    """The reverse case: a target on the internet and a configured source."""
    victim = port_of(source)
    sample_image(layers=1, layer_bytes=5000).load(source.storage, "app", "1.0")
    target.on("POST ", reply(202, Location=f"http://{inside}:{victim}/upload?_state=1"), times=ALWAYS)
    host = registry_of(target)
    request = CopyRequest(
        ImageRef.parse(f"{source.host}/app:1.0"),
        ImageRef(host, "app", "1.0"),
        access(source.host),
        public_access(port_of(target), LOGIN),
    )

    with pytest.raises(RegistryError) as caught, ends_soon():
        engine.copy(request)

    assert caught.value.code in {"address-refused", "invalid", "unavailable"}
    assert not source.found(".*/upload")


@pytest.mark.parametrize("inside", INSIDE)
def test_a_referrers_link_does_not_lead_to_a_private_address(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, inside: str
) -> None:
    sample_image(layers=1, layer_bytes=5000).load(source.storage, "app", "1.0")
    victim = port_of(target)
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    link = f'<http://{inside}:{victim}/secrets>; rel="next"'
    source.on("GET .*/referrers/", reply(200, index, Link=link), times=ALWAYS)
    request = CopyRequest(
        ImageRef(registry_of(source), "app", "1.0"),
        ImageRef.parse(f"{target.host}/app:1.0"),
        public_access(port_of(source), LOGIN),
        access(target.host),
    )
    image = engine.copy(request)

    with ends_soon():
        result = engine.copy_referrers(request, image, "signatures")

    assert result.problems
    assert not target.found(".*/secrets")
