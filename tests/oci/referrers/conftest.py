from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from mirrors.oci import CopyRequest, CopyResult, Engine, ReferrerPolicy, ReferrersResult
from tests.oci.conftest import ref, request
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registries import Registry
from tests.support.registry_profiles import PROFILES, ProfiledRegistry

MakeProfiled = Callable[..., ProfiledRegistry]


@pytest.fixture
def profiled() -> Iterator[MakeProfiled]:
    """Starts a registry by the name of its profile, with changes to it."""
    with ExitStack() as stack:

        def make(name: str = "distribution3", **changes: Any) -> ProfiledRegistry:
            return stack.enter_context(ProfiledRegistry(replace(PROFILES[name], **changes)))

        yield make


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
    """Copies an image, then what refers to it."""
    return mirrored(engine, request(ref(source, rest), ref(target, to or rest), **options), policy)[1]


def mirrored(
    engine: Engine, wanted: CopyRequest, policy: ReferrerPolicy = "signatures"
) -> tuple[CopyResult, ReferrersResult]:
    image = engine.copy(wanted)
    return image, engine.copy_referrers(wanted, image, policy)
