"""The images of the installation itself, and the Helm values that run them from the mirror."""

from __future__ import annotations

from mirrors.images import ImageRef, TargetName
from mirrors.kubernetes.objects.yaml_scalars import dump
from swapper_project.process import release


def own_images(version: str) -> list[str]:
    """Return the references of a release's image, and of the chart's Postgres image."""
    return [
        f"{release.IMAGE_REPOSITORY}:{version}",
        f"{release.DATABASE_REPOSITORY}:{release.DATABASE_TAG}",
    ]


def helm_values(version: str, target: TargetName) -> str:
    """Return YAML for ``helm upgrade --values`` with the same images at the target.

    The tag of the product's image is omitted, so that an upgrade of the chart uses the new release's tag: that release
    must be mirrored first.
    """
    ours, database = (target.retarget(ImageRef.parse(image)) for image in own_images(version))
    values = {
        "image": {"repository": ours.name},
        "postgresql": {"image": {"repository": database.name, "tag": database.tag}},
    }
    return (
        f"# Helm values: the images of k8s-image-swapper {version} from your mirror.\n"
        "# Before an upgrade of the chart: manage.py mirror --self --release VERSION\n"
        f"{dump(values)}"
    )
