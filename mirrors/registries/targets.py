"""The driver of the configured target. The drivers of clouds are imported only if the configuration names them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mirrors.registries.generic import OciDriver
from mirrors.registries.registry_driver import RegistryDriver
from swapper_project.config import AwsTarget, Config, GcpTarget, OciTarget


def target_driver(config: Config, *, credentials_dir: Path) -> RegistryDriver:
    """Return the driver of the target. The same configuration gets the same driver, because the driver caches the state
    of repositories and renews its token."""
    return _driver(config.target.chosen, config.trusted_ca, credentials_dir)


@lru_cache(maxsize=4)
def _driver(target: AwsTarget | GcpTarget | OciTarget, trusted_ca: str | None, credentials_dir: Path) -> RegistryDriver:
    if isinstance(target, AwsTarget):
        from mirrors.registries.aws.driver import EcrDriver

        return EcrDriver(target, trusted_ca=trusted_ca)
    if isinstance(target, GcpTarget):
        from mirrors.registries.gcp.driver import GarDriver

        return GarDriver(target, trusted_ca=trusted_ca)
    return OciDriver(target, credentials_dir)
