"""Checks that a release is complete: changelog, chart, image tags, documentation and Terraform agree with the version.

``python -m tools.release_check``; the release workflow adds ``--tag v1.2.3`` for the tag of the release.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = Path("charts/k8s-image-swapper")
IMAGE: Final = "ghcr.io/k8s-image-swapper/k8s-image-swapper"
CHART_REFERENCE: Final = "oci://ghcr.io/k8s-image-swapper/charts/k8s-image-swapper"
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


def version_of(root: Path) -> str:
    """Return the version without importing the product."""
    text = (root / "swapper_project/__init__.py").read_text()
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    return match[1] if match else ""


def problems(root: Path, tag: str = "") -> Iterator[str]:
    """Yield each problem with its remedy."""
    version = version_of(root)
    if not _VERSION.fullmatch(version):
        yield f"swapper_project/__init__.py: __version__ is {version!r}; write a version such as 1.2.3."
    if tag and tag != f"v{version}":
        yield f"The tag is {tag}, the version is {version}: tag the commit v{version}, or set the version."
    chart = _chart(root)
    yield from _changelog(root, version, chart, is_final=bool(tag))
    yield from _of_chart(root, version, chart)
    yield from _of_image(root, version)
    yield from _documentation(root, version, chart)


def _chart(root: Path) -> dict[str, Any]:
    file = root / CHART / "Chart.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
    return found


def _changelog(root: Path, version: str, chart: dict[str, Any], *, is_final: bool) -> Iterator[str]:
    text = (root / "CHANGELOG.md").read_text()
    match = re.search(rf"^## {re.escape(version)} \(([^)\n]+)\)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if match is None:
        yield f"CHANGELOG.md: add a section '## {version} (date)'."
        return
    if is_final and not re.fullmatch(r"\d{4}-\d\d-\d\d", match[1]):
        yield f"CHANGELOG.md: the section of {version} says {match[1]!r}; write its date, such as 2026-12-01."
    if chart and f"Chart {chart['version']}" not in match[2]:
        yield f"CHANGELOG.md: name the chart's version in the section of {version}: 'Chart {chart['version']}'."


def _of_chart(root: Path, version: str, chart: dict[str, Any]) -> Iterator[str]:
    if not chart:
        return
    if str(chart["appVersion"]) != version:
        yield f"{CHART}/Chart.yaml: appVersion is {chart['appVersion']}; set it to {version}."
    images = chart.get("annotations", {}).get("artifacthub.io/images", "")
    if f"{IMAGE}:{version}" not in images:
        yield f"{CHART}/Chart.yaml: artifacthub.io/images does not name {IMAGE}:{version}."
    image = yaml.safe_load((root / CHART / "values.yaml").read_text())["image"]
    if image["repository"] != IMAGE or image["tag"]:
        yield f"{CHART}/values.yaml: image must be {IMAGE} without a tag, which is the appVersion then."


def _of_image(root: Path, version: str) -> Iterator[str]:
    file = root / "Dockerfile"
    match = re.search(r"^ARG VERSION=(.*)$", file.read_text(), re.MULTILINE) if file.exists() else None
    if match and match[1].strip('"') not in ("", version):
        yield f"Dockerfile: ARG VERSION is {match[1]}; set it to {version}, or leave it empty."


def _documentation(root: Path, version: str, chart: dict[str, Any]) -> Iterator[str]:
    """Check the image tags and chart versions in pages and examples."""
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = path.read_text()
        for found in re.findall(rf"{re.escape(IMAGE)}:([\w.-]+)", text):
            if found.rstrip(".") != version:
                yield f"{path.relative_to(root)}: the image has the tag {found}; the version is {version}."
        for found in re.findall(rf"{re.escape(CHART_REFERENCE)} --version (\S+)", text):
            if chart and found != chart["version"]:
                yield f"{path.relative_to(root)}: the chart has the version {found}; it is {chart['version']}."
    for path in sorted((root / "deploy/terraform").rglob("variables.tf")):
        match = re.search(r'variable "chart_version" \{.*?default\s+= "([^"]+)"', path.read_text(), re.DOTALL)
        if chart and match and match[1] != chart["version"]:
            yield f"{path.relative_to(root)}: chart_version is {match[1]}; the chart has {chart['version']}."


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that all places agree with the version.")
    parser.add_argument("--tag", default="", help="the tag that is released: v and the version")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to check")
    options = parser.parse_args()
    found = list(problems(options.root, options.tag))
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"Version {version_of(options.root)}: changelog, chart, image tags and documentation agree.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
