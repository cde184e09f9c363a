"""The name of an image at the target: valid, unique, and recognised as the name of a mirror."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrors.images import ImageRef, InvalidReferenceError, TargetName
from tests.mirrors.images.references import SHA256, references

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("prefix", "source", "target"),
    [
        ("", "nginx:1.25", f"{ECR}/docker.io/library/nginx:1.25"),
        ("mirror", f"ghcr.io/acme/app:1@{SHA256}", f"{ECR}/mirror/ghcr.io/acme/app:1@{SHA256}"),
        ("/a/b/", f"ghcr.io/acme/app@{SHA256}", f"{ECR}/a/b/ghcr.io/acme/app@{SHA256}"),
        ("", "registry.example.com:5000/app", f"{ECR}/registry.example.com_5000/app:latest"),
        ("", "[2001:db8::]:80/app", f"{ECR}/2001_0db8_0000_0000_0000_0000_0000_0000_80/app:latest"),
    ],
)
def test_the_target_name_contains_the_source_name(prefix: str, source: str, target: str) -> None:
    assert str(TargetName(ECR, prefix).retarget(ImageRef.parse(source))) == target


def test_a_name_that_is_too_long_is_truncated_and_ends_with_its_hash() -> None:
    full = f"ghcr.io/{'a' * 250}"
    ref = ImageRef.parse(f"{full}:v1")
    shortened = TargetName(ECR, max_repository=256).retarget(ref)
    assert len(shortened.repository) == 256
    assert shortened.repository == full[:223] + "-" + hashlib.sha256(full.encode()).hexdigest()[:32]
    assert shortened.tag == "v1"
    longest = ImageRef.parse(f"ghcr.io/{'a' * 248}")
    assert TargetName(ECR, max_repository=256).retarget(longest).repository == f"ghcr.io/{'a' * 248}"


@settings(deadline=None)
@given(references(), st.sampled_from(["", "mirror", "a/b-c"]), st.sampled_from([100, 255, 256]))
def test_a_valid_reference_always_has_a_valid_target_name(text: str, prefix: str, limit: int) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return
    target = TargetName("registry.internal:5000", prefix, limit)
    placed = target.retarget(ref)
    assert target.contains(placed)
    assert len(placed.repository) <= limit
    assert (placed.tag, placed.digest) == (ref.tag, ref.digest)
    assert re.fullmatch(r"[a-z0-9]+((\.|__?|-+|/)[a-z0-9]+)*", placed.repository)
    if limit == 255:
        assert ImageRef.parse(str(placed)) == placed


def test_two_sources_never_share_a_target() -> None:
    long = "a" * 240
    sources = [
        "nginx",
        "ghcr.io/docker.io/library/nginx",
        "reg.example/5000/app",
        "reg.example:5000/app",
        "reg.example:500/app",
        "[::1]/app",
        "[::1:80]/app",
        "[::1]:80/app",
        *(f"ghcr.io/{long}{tail}" for tail in ("b", "c", "-b", "/b", "_b", "__b")),
    ]
    target = TargetName("registry.internal:5000", "mirror")
    assert len({target.retarget(ImageRef.parse(source)) for source in sources}) == len(sources)


@pytest.mark.parametrize(
    ("image", "inside"),
    [
        ("registry.internal:5000/mirror/docker.io/library/nginx", True),
        ("REGISTRY.internal:5000/mirror/app", True),
        ("dual.registry.internal/mirror/app", True),
        ("registry.internal:5000/mirror", True),
        ("registry.internal:5000/mirror-other/app", False),
        ("registry.internal:5000/mirror2/app", False),
        ("registry.internal:5000/other/mirror/app", False),
        ("registry.internal/mirror/app", False),
        ("docker.io/mirror/app", False),
    ],
)
def test_images_at_the_target_are_recognised_by_whole_path_components(image: str, inside: bool) -> None:
    target = TargetName("Registry.Internal:5000", "mirror/", aliases=("dual.registry.internal",))
    assert target.contains(ImageRef.parse(image)) is inside


def test_without_a_prefix_the_whole_registry_is_the_target() -> None:
    target = TargetName("index.docker.io")
    assert target.contains(ImageRef.parse("nginx"))
    assert not target.contains(ImageRef.parse("ghcr.io/acme/app"))


@pytest.mark.parametrize(
    ("endpoint", "prefix"), [("registry", ""), ("https://r.io", ""), ("r.io", "A"), ("r.io", "a//b")]
)
def test_an_invalid_endpoint_or_prefix_is_rejected(endpoint: str, prefix: str) -> None:
    with pytest.raises(InvalidReferenceError):
        TargetName(endpoint, prefix)


def test_a_prefix_longer_than_half_the_name_limit_is_rejected() -> None:
    with pytest.raises(InvalidReferenceError, match="longer than half"):
        TargetName("r.io", "a" * 128)
