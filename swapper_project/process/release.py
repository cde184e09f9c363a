"""The running release, and the container images of an installation with the Helm chart."""

from __future__ import annotations

from typing import Final

from swapper_project import __version__

PRODUCT_NAME: Final = "k8s-image-swapper"
VERSION: Final = __version__

IMAGE_REPOSITORY: Final = "ghcr.io/k8s-image-swapper/k8s-image-swapper"
"""The one image of webhook, web, worker and set-up Job; its tag is the version."""

DATABASE_REPOSITORY: Final = "docker.io/library/postgres"
DATABASE_TAG: Final = "17"
"""The image of the chart's own Postgres (``postgresql.image``)."""


def is_version_request(argv: list[str]) -> bool:
    """Return whether the command line requests the version. Django's own ``version`` command prints that of Django."""
    return argv[1:] in (["version"], ["--version"])
