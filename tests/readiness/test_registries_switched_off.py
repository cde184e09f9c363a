"""The result of the fire drill, compared with registries that are really switched off."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from mirrors.demo.images import SampleImage, sample_image
from mirrors.images import ImageRef, TargetName
from tests.support.pushing import push
from tests.support.readback import read_back
from tests.support.registries import distribution
from tests.support.system import run_manage, write_config

ROWS = """
from tests.readiness.cluster_rows import cluster, runs
cluster()
for image, digest in {images!r}:
    runs(image, image.rpartition("/")[2].partition(":")[0], digest=digest)
"""
"""Creates the rows that a watcher would write for one Deployment of each image."""


def can_start(image: str, target: TargetName, content: SampleImage) -> bool:
    """Return whether a new node could read the complete image, from the mirror or from its source."""
    source = ImageRef.parse(image)
    for place in (target.retarget(source), source):
        try:
            found = read_back(place.registry, place.repository, place.manifest_reference)
        except (urllib3.exceptions.HTTPError, AssertionError):
            continue
        if found.keys() >= {*content.blobs, *content.manifests}:
            return True
    return False


def unprotected(environment: dict[str, str], *arguments: str) -> set[str]:
    result = run_manage("readiness", "--json", *arguments, environment=environment, check=False)
    assert result.returncode in (0, 1), result.stderr
    found = {row["source"] for row in json.loads(result.stdout)["missing"]}
    assert (result.returncode == 1) is bool(found)
    return found


@pytest.fixture
def off() -> ExitStack:
    """An ExitStack whose ``close`` switches registries off."""
    return ExitStack()


def test_only_unprotected_images_cannot_start_when_their_registry_is_off(
    database_url: str, tmp_path: Path, off: ExitStack
) -> None:
    with off, ExitStack() as others:
        hub = off.enter_context(distribution(tmp_path / "hub"))
        quay = others.enter_context(distribution(tmp_path / "quay"))
        target = others.enter_context(distribution(tmp_path / "target"))
        names = [(hub, "kept"), (hub, "forgotten"), (quay, "kept-too"), (quay, "left")]
        contents = {}
        for seed, (registry, name) in enumerate(names):
            image = f"{registry.host}/team/{name}:1.0"
            contents[image] = sample_image(seed=seed, layers=2, layer_bytes=1_000)
            push(contents[image], registry.host, f"team/{name}", "1.0")
        sources = [{"type": "oci", "host": registry.host, "insecure": True} for registry in (hub, quay)]
        config = write_config(tmp_path / "config.yaml", target=target.host, source={"registries": sources})
        environment = {"SWAPPER_DATABASE_URL": database_url, "SWAPPER_CONFIG": str(config)}
        run_manage("prepare", environment=environment)
        mirrored = [image for image in contents if "kept" in image]
        run_manage("mirror", *mirrored, environment=environment)
        images = [(image, content.root) for image, content in contents.items()]
        run_manage("shell", "-c", ROWS.format(images=images), environment=environment)
        of_hub, of_all = unprotected(environment, "--without", hub.host), unprotected(environment)

        off.close()

        starts = {image: can_start(image, TargetName(target.host), content) for image, content in contents.items()}
        assert {image for image, is_so in starts.items() if not is_so} == of_hub
        assert of_hub == {f"{hub.host}/team/forgotten:1.0"}
        assert of_all == of_hub | {f"{quay.host}/team/left:1.0"}
        assert unprotected(environment, "--without", hub.host) == of_hub, "the answer needs no source"
