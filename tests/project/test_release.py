"""A release has one version in all files. Its workflows run only pinned actions, with no more rights than needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from swapper_project import __version__
from swapper_project.process import release
from tests.support.databases import ROOT
from tests.support.helm import CHART

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CHART_YAML = "charts/k8s-image-swapper/Chart.yaml"
VALUES_YAML = "charts/k8s-image-swapper/values.yaml"
README = "README.md"

FILES = {
    "swapper_project/__init__.py": '__version__ = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-12-01)\nFixes. Chart 4.5.6.\n\n## 1.2.2 (2026-11-01)\nFirst.\n",
    README: "ghcr.io/k8s-image-swapper/k8s-image-swapper:1.2.3 runs.\n",
    "docs/install.md": "helm install oci://ghcr.io/k8s-image-swapper/charts/k8s-image-swapper --version 4.5.6\n",
    "deploy/terraform/eks/variables.tf": 'variable "chart_version" {\n  default     = "4.5.6"\n}\n',
    "Dockerfile": "FROM scratch\nARG VERSION=1.2.3\n",
    CHART_YAML: (
        'version: 4.5.6\nappVersion: "1.2.3"\nannotations:\n  artifacthub.io/images: |\n'
        "    - image: ghcr.io/k8s-image-swapper/k8s-image-swapper:1.2.3\n"
    ),
    VALUES_YAML: 'image: {repository: ghcr.io/k8s-image-swapper/k8s-image-swapper, tag: ""}\n',
}
"""The files of a complete release."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release_check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_this_checkout_passes_the_release_check() -> None:
    result = check()

    assert result.returncode == 0, result.stderr


def test_a_complete_release_passes(checkout: Path) -> None:
    result = check("--root", str(checkout), "--tag", "v1.2.3")

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("swapper_project/__init__.py", "1.2.3", "one", "write a version such as 1.2.3"),
        ("swapper_project/__init__.py", "1.2.3", "1.2.4", "tag the commit v1.2.4"),
        ("CHANGELOG.md", "## 1.2.3", "## 1.2.9", "add a section '## 1.2.3 (date)'"),
        ("CHANGELOG.md", "2026-12-01", "unreleased", "write its date"),
        ("CHANGELOG.md", "Chart 4.5.6", "", "name the chart's version"),
        (CHART_YAML, 'appVersion: "1.2.3"', 'appVersion: "1.2.2"', "set it to 1.2.3"),
        (CHART_YAML, "swapper:1.2.3", "swapper:1.2.2", "artifacthub.io/images does not name"),
        (VALUES_YAML, 'tag: ""', 'tag: "1"', "without a tag"),
        (README, "1.2.3", "1.2.2", "README.md: the image has the tag 1.2.2"),
        ("docs/install.md", "4.5.6", "4.5.5", "docs/install.md: the chart has the version 4.5.5"),
        ("deploy/terraform/eks/variables.tf", "4.5.6", "4.5.5", "chart_version is 4.5.5"),
        ("Dockerfile", "1.2.3", "1.2.2", "ARG VERSION is 1.2.2"),
    ],
)
def test_each_inconsistency_of_a_release_is_reported(checkout: Path, file: str, old: str, new: str, told: str) -> None:
    path = checkout / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    result = check("--root", str(checkout), "--tag", "v1.2.3")

    assert result.returncode == 1
    assert told in result.stderr


def test_an_unreleased_version_needs_no_date(checkout: Path) -> None:
    path = checkout / "CHANGELOG.md"
    path.write_text(path.read_text().replace("2026-12-01", "unreleased"))

    assert check("--root", str(checkout)).returncode == 0


def test_package_metadata_takes_the_version_from_the_code() -> None:
    text = (ROOT / "pyproject.toml").read_text()

    assert 'dynamic = ["version"]' in text and "swapper_project.__version__" in text
    assert __version__ == release.VERSION


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(workflow.read_text())["jobs"]
    return found


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_a_version_comment(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)(?: # (\S+))?", workflow.read_text())
    assert used
    for action, version in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r"v\d+(\.\d+)*", version), action


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_only_publishing_jobs_can_write_and_jobs_have_a_timeout(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    publishing = {"image", "chart", "publish"}
    for name, job in jobs(workflow).items():
        writes = [right for right, level in job.get("permissions", {}).items() if level == "write"]
        assert not writes or name in publishing
        assert "uses" in job or job["timeout-minutes"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_shell_steps_contain_no_workflow_expressions(workflow: Path) -> None:
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_shell_steps_have_valid_syntax(workflow: Path) -> None:
    for step in steps(workflow):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], text=True, timeout=10, check=True)


def test_a_release_is_tested_before_it_is_published() -> None:
    found = jobs(ROOT / ".github/workflows/release.yml")

    assert found["image"]["needs"] == ["test", "check"]
    assert found["chart"]["needs"] == ["image"] and set(found["publish"]["needs"]) == {"image", "chart"}


def test_image_and_chart_are_signed_and_have_provenance() -> None:
    found = jobs(ROOT / ".github/workflows/release.yml")
    (build,) = [step["with"] for step in found["image"]["steps"] if step.get("id") == "build"]

    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert build["sbom"] is True and build["provenance"] == "mode=max"
    for name in ("image", "chart"):
        text = yaml.safe_dump(found[name])
        assert "cosign sign --yes" in text and "attest-build-provenance" in text


def test_release_notes_contain_the_changelog_section_and_the_image(checkout: Path) -> None:
    (step,) = jobs(ROOT / ".github/workflows/release.yml")["publish"]["steps"][1:]
    before_publishing = step["run"].partition("gh release")[0]
    environment = {"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": "v1.2.3", "IMAGE": "image", "DIGEST": "sha256:1"}
    subprocess.run(["bash", "-euc", before_publishing], cwd=checkout, env=environment, timeout=10, check=True)

    assert (checkout / "notes.md").read_text() == "Fixes. Chart 4.5.6.\n\n\nImage: `image@sha256:1`\n"


def test_the_make_target_runs_the_release_check() -> None:
    make = shutil.which("make")
    assert make is not None
    result = subprocess.run([make, "--dry-run", "release-check"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "tools.release_check" in result.stdout


def test_release_image_constants_match_the_chart_values() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    assert values["image"]["repository"] == release.IMAGE_REPOSITORY
    database = values["postgresql"]["image"]
    assert (database["repository"], str(database["tag"])) == (release.DATABASE_REPOSITORY, release.DATABASE_TAG)
