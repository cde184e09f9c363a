"""Images that cosign itself has signed, mirrored, and verified by cosign at the mirror."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirrors.demo.images import SampleImage, sample_image
from mirrors.oci import Engine
from tests.oci.conftest import MakeProfiled
from tests.oci.referrers.mirroring import mirror
from tests.support.faulty_registry import FaultyRegistry
from tests.support.go_tools import require

PATIENCE = 60
"""Seconds. cosign takes half a second on an idle machine."""


@dataclass(frozen=True, slots=True)
class Cosign:
    """cosign with its own key pair and without a transparency log, so that it sends no requests to other machines."""

    directory: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "COSIGN_PASSWORD": "only for tests",
            "COSIGN_EXPERIMENTAL": "1",
        }
        command = [require("cosign"), *arguments]
        return subprocess.run(
            command,
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def sign(self, host: str, image: SampleImage, *options: str) -> None:
        name = f"{host}/app@{image.root}"
        signed = self("sign", "--key=cosign.key", "--tlog-upload=false", "--yes", *INSECURE, *options, name)
        assert signed.returncode == 0, signed.stderr

    def verifies(self, host: str, *options: str) -> bool:
        """Return whether the tag is signed by the key."""
        command = ("verify", "--key=cosign.pub", "--insecure-ignore-tlog=true", *INSECURE, *options, f"{host}/app:1.0")
        verified = self(*command)
        assert verified.returncode == 0 or "signatures" in verified.stderr, verified.stderr
        return verified.returncode == 0


INSECURE = ("--allow-http-registry", "--allow-insecure-registry")


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    made = Cosign(tmp_path)
    assert made("generate-key-pair").returncode == 0
    return made


def load(registry: FaultyRegistry) -> SampleImage:
    image = sample_image(layer_bytes=1000)
    image.load(registry.storage, "app", "1.0")
    return image


def tamper(registry: FaultyRegistry) -> None:
    """Let the tag name another image of the same repository, which is not signed."""
    sample_image(layer_bytes=1000, seed=2).load(registry.storage, "app", "1.0")


@pytest.mark.parametrize("profile", ["distribution3", "ghcr", "gar", "quay", "harbor", "artifactory"])
def test_cosign_verifies_a_mirrored_image_and_rejects_a_tampered_one(
    engine: Engine, profiled: MakeProfiled, cosign: Cosign, profile: str
) -> None:
    source, target = profiled(), profiled(profile)
    image = load(source)
    cosign.sign(source.host, image)
    assert cosign.verifies(source.host)

    result = mirror(engine, source, target)

    assert (result.is_signed, result.problems) == (True, ())
    assert cosign.verifies(target.host)
    tamper(target)
    assert not cosign.verifies(target.host)


@pytest.mark.parametrize("profile", ["distribution3", "ghcr"])
def test_cosign_finds_a_referrer_signature_with_and_without_the_referrers_api(
    engine: Engine, profiled: MakeProfiled, cosign: Cosign, profile: str
) -> None:
    """Without the referrers API, cosign uses the index of the fallback tag, which the engine has written at the
    mirror."""
    source, target = profiled(), profiled(profile)
    image = load(source)
    cosign.sign(source.host, image, "--registry-referrers-mode=oci-1-1")

    result = mirror(engine, source, target)

    assert (result.is_signed, result.problems) == (True, ())
    assert not [tag for _, tag in target.storage.tags if tag.endswith(".sig")]
    assert cosign.verifies(target.host, "--experimental-oci11")
    tamper(target)
    assert not cosign.verifies(target.host, "--experimental-oci11")
