"""The images of an installation itself, and the values of the Helm chart that run them from the mirror."""

from __future__ import annotations

from mirrors.images import ImageRef, TargetName
from mirrors.kubernetes.objects.yaml_scalars import dump
from swapper_project.process import release


def own_images(version: str) -> list[str]:
    """References of the product's image of a release, and of the chart's Postgres."""
    return [
        f"{release.IMAGE_REPOSITORY}:{version}",
        f"{release.DATABASE_REPOSITORY}:{release.DATABASE_TAG}",
    ]


def helm_values(version: str, target: TargetName) -> str:
    """YAML for ``helm upgrade --values``: the same images at the target.

    The tag of our image is left out, so that an upgrade of the chart brings its own: mirror that release first.
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
