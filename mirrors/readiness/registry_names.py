"""The host of the registry that a drill assumes to be unreachable."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from mirrors.images import InvalidReferenceError, normalise_host
from swapper_project.config import Config

UNUSED: Final = "No running image is from {host}: check the name. Running images are from: {others}."


class RegistryNameError(ValueError):
    """The name of the registry that is assumed to be unreachable is not valid. The message gives the reason."""


def registry_host(text: str, config: Config) -> str:
    """Return the host in the normal form of sources; empty for an empty text. Raises RegistryNameError."""
    if not text:
        return ""
    name = text.strip().rstrip("/")
    if "/" in name:
        raise RegistryNameError(f"{text} is not a registry: enter only the host, such as docker.io.")
    try:
        host = normalise_host(name)
    except InvalidReferenceError:
        raise RegistryNameError(f"{text} is not a registry: enter a host such as docker.io or ghcr.io.") from None
    if config.target.name.endpoint == host:
        raise RegistryNameError(f"{host} is the target registry: the drill is only for sources of images.")
    return host


def unused_registry(without: str, registries: Collection[str]) -> Iterator[str]:
    """Yield a notice if images run, but none is from the registry ``without``: its name may be misspelt."""
    if without and registries and without not in registries:
        yield UNUSED.format(host=without, others=", ".join(sorted(registries)))
