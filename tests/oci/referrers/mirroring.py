"""Copy images with their referrers from one registry to another."""

from __future__ import annotations

from typing import Any

from mirrors.oci import CopyRequest, CopyResult, Engine, ReferrerPolicy, ReferrersResult
from tests.oci.conftest import ref, request
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registries import Registry


def mirror(
    engine: Engine,
    source: FaultyRegistry | Registry,
    target: FaultyRegistry | Registry,
    *,
    policy: ReferrerPolicy = "signatures",
    rest: str = "app:1.0",
    to: str = "",
    **options: Any,
) -> ReferrersResult:
    """Copy an image, then its referrers."""
    return mirrored(engine, request(ref(source, rest), ref(target, to or rest), **options), policy)[1]


def mirrored(
    engine: Engine, wanted: CopyRequest, policy: ReferrerPolicy = "signatures"
) -> tuple[CopyResult, ReferrersResult]:
    image = engine.copy(wanted)
    return image, engine.copy_referrers(wanted, image, policy)
