"""Copies of each kind of image: all digests are the same at the target when another client reads the image back."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from mirrors.demo.images import OCI_MANIFEST, SampleImage
from mirrors.demo.memory_storage import digest_of
from mirrors.images import ImageRef
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import access, copy, ref, request
from tests.oci.kinds_of_images import KINDS, MIB, manifest_of
from tests.support.faulty_registry import FaultyRegistry
from tests.support.readback import read_back
from tests.support.registries import Registry

NOT_TAKEN = {
    "artifact manifest of OCI 1.1-rc",
    "child of 0 bytes",
    "child of an unknown type",
    "manifest of 8 MiB",
    "sha512",
}
"""The kinds that CNCF distribution 2.8 does not accept."""

NOT_TAKEN_BY_3 = {"build cache"}
"""The kinds that version 3 does not accept, because blobs are among the entries of an index."""

NOT_READABLE = {"blob in an index"}
"""Kinds that version 2.8 accepts, although it responds with 500 to the check whether the entry is a manifest."""


def place(kind: str) -> str:
    """Return a repository for each kind."""
    return f"kinds/{re.sub('[^a-z0-9]+', '-', kind.lower())}"


def content(image: SampleImage) -> dict[str, bytes]:
    """Return the content by digest. Content pushed under a tag has the digest that registries compute."""
    manifests = {digest: raw for digest, (_, raw) in image.manifests.items()}
    root = manifests.pop(image.root)
    return {**image.blobs, **manifests, digest_of(root): root}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_image_is_copied_byte_for_byte(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, kind: str
) -> None:
    image = KINDS[kind]()
    image.load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert read_back(target.host, "app", "1.0") == content(image)
    root = target.storage.manifest("app", "1.0")
    assert root is not None
    assert root[1:] == image.manifests[image.root]
    assert copy(engine, source, target).unchanged


@pytest.mark.parametrize("newer_first", [False, True], ids=["2.8 to 3", "3 to 2.8"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NOT_TAKEN | NOT_READABLE])
def test_each_kind_of_image_is_copied_through_real_registries(
    engine: Engine,
    source: FaultyRegistry,
    target: FaultyRegistry,
    distribution_registry: Registry,
    distribution_3: Registry,
    kind: str,
    newer_first: bool,
) -> None:
    image = KINDS[kind]()
    image.load(source.storage, "app", "1.0")
    registries = [distribution_registry, *([] if kind in NOT_TAKEN_BY_3 else [distribution_3])]
    name = f"{place(kind)}-{newer_first}".lower()
    stops = [ref(registry, f"{name}:1.0") for registry in (reversed(registries) if newer_first else registries)]

    for one, next_one in pairwise([ref(source), *stops, ref(target)]):
        engine.copy(request(one, next_one))

    for stop in stops:
        assert read_back(stop.registry, name, "1.0") == content(image)
    assert read_back(target.host, "app", "1.0") == content(image)


@pytest.mark.parametrize("kind", sorted(NOT_TAKEN))
def test_an_unsupported_kind_of_image_is_a_permanent_error_without_a_tag(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry, kind: str
) -> None:
    KINDS[kind]().load(source.storage, "app", "1.0")
    there = ref(distribution_registry, f"{place(kind)}:1.0")

    with pytest.raises(RegistryError, match="responded with 400") as caught:
        engine.copy(request(ref(source), there))

    assert (caught.value.permanent, caught.value.host) == (True, distribution_registry.host)
    assert engine.head(there, access(there.registry)) is None


@pytest.mark.parametrize("kind", ["Docker list", "index of OCI and Docker", "index of many platforms", "OCI, zstd"])
def test_skopeo_reads_the_copied_image(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry, tmp_path: Path, kind: str
) -> None:
    image = KINDS[kind]()
    image.load(source.storage, "app", "1.0")
    there = f"{distribution_registry.host}/skopeo/{place(kind)}:1.0"
    engine.copy(request(ref(source), ImageRef.parse(there)))

    command = ["skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{there}"]
    subprocess.run([*command, f"dir:{tmp_path}/image"], check=True, capture_output=True, timeout=60)

    assert (tmp_path / "image/manifest.json").read_bytes() == image.manifests[image.root][1]
    files = {path.read_bytes() for path in (tmp_path / "image").iterdir()}
    assert files >= set(content(image).values())


@pytest.mark.parametrize(
    ("image", "code"), [(manifest_of(8 * MIB + 1), "too-large"), (None, "invalid")], ids=["8 MiB and a byte", "0 bytes"]
)
def test_a_manifest_beyond_the_size_limits_is_a_permanent_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, image: SampleImage | None, code: str
) -> None:
    if image is None:
        source.storage.add_manifest("app", OCI_MANIFEST, b"", "1.0")
    else:
        image.load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == (code, True)
    assert not target.storage.tags
