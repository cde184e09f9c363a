"""Each command of the pages for installation and operation is run, or is marked as needing a cluster or a cloud."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from swapper_project import config
from swapper_project.process import release
from tests.docs.shell import PAGES, Fence, fences
from tests.jobs.support import load
from tests.support.databases import ROOT
from tests.support.faulty_registry import FaultyRegistry
from tests.support.go_tools import require
from tests.support.helm import CHART, render
from tests.support.system import write_config

ALL = [fence for page in PAGES for fence in fences(page)]
SHELL = [fence for fence in ALL if fence.is_shell]
VALUES = [fence for fence in ALL if fence.is_values]
OBJECT = re.compile(
    r"\b(deployment|statefulset|service|cronjob|secret|mutatingwebhookconfiguration)[/ ](k8s-image-swapper[\w-]*)"
)
MADE_BY_SETUP = {"k8s-image-swapper-app", "k8s-image-swapper-admin", "k8s-image-swapper-postgresql"}
MINIMAL = {"target": {"aws": {"accountId": "123456789012", "region": "eu-central-1"}}}


def place(fence: Fence) -> str:
    return fence.place


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout with a prepared installation, whose sources and target are registries of these tests."""
    directory = tmp_path_factory.mktemp("checkout")
    with FaultyRegistry() as source, FaultyRegistry() as target:
        for tag in (release.VERSION, "0.2.0"):
            load(source, release.IMAGE_REPOSITORY.partition("/")[2], tag)
        load(source, release.DATABASE_REPOSITORY.partition("/")[2], release.DATABASE_TAG)
        hosts = ("ghcr.io", "docker.io")
        entries = [{"type": "oci", "host": host, "insecure": True, "connectTo": source.host} for host in hosts]
        write_config(directory / "swapper.yaml", target=target.host, source={"registries": entries})
        for name, original in {
            ".venv": Path(sys.prefix),
            "manage.py": ROOT / "manage.py",
            "charts": ROOT / "charts",
        }.items():
            (directory / name).symlink_to(original)
        run(".venv/bin/python manage.py prepare --config swapper.yaml", directory)
        yield directory


def run(commands: str, directory: Path) -> str:
    """Run commands with a worker's environment in a shell that stops at the first error, and return their output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWAPPER_")}
    own = {
        "DJANGO_SETTINGS_MODULE": "swapper_project.settings",
        "SWAPPER_DATA_DIR": str(directory / "data"),
        "SWAPPER_ROLE": "worker",
        "SWAPPER_SECRET_KEY": "0123456789abcdef0123456789abcdef0123456789abcdef",
    }
    if "helm" in commands:
        own["PATH"] = f"{Path(require('helm')).parent}:{kept['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        env={**kept, **own},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("fence", [f for f in SHELL if not f.needs and " charts/" not in f.text], ids=place)
def test_a_documented_command_runs(fence: Fence, workplace: Path) -> None:
    run(fence.text, workplace)


@pytest.mark.parametrize("fence", [f for f in SHELL if f.needs], ids=place)
def test_a_command_that_needs_a_cluster_or_cloud_has_valid_syntax(fence: Fence) -> None:
    result = subprocess.run(["bash", "-n"], input=fence.text, capture_output=True, text=True, timeout=10, check=False)

    assert result.returncode == 0, result.stderr


def test_mirroring_our_images_writes_a_values_file(workplace: Path) -> None:
    (fence,) = [f for f in SHELL if not f.needs and "> mirror-values.yaml" in f.text]
    run(fence.text, workplace)

    values = yaml.safe_load((workplace / "mirror-values.yaml").read_text())
    assert set(values) == {"image", "postgresql"}


def test_commands_and_values_files_are_found() -> None:
    assert len([f for f in SHELL if f.needs]) > 10
    assert len([f for f in SHELL if not f.needs]) > 4
    assert len(VALUES) > 8


@pytest.mark.parametrize("fence", [f for f in VALUES if "config" in yaml.safe_load(f.text)], ids=place)
def test_the_configuration_of_a_values_file_loads(fence: Fence) -> None:
    section = yaml.safe_load(fence.text)["config"]

    assert config.parse(yaml.safe_dump(section)).target.name.endpoint


@pytest.mark.parametrize("fence", VALUES, ids=place)
def test_a_values_file_renders_with_the_chart(fence: Fence) -> None:
    assert render({"config": MINIMAL, **yaml.safe_load(fence.text)}).objects


@pytest.mark.parametrize("fence", [f for f in SHELL if not f.needs and " charts/" in f.text], ids=place)
def test_a_command_that_uses_the_local_chart_runs(fence: Fence, workplace: Path) -> None:
    page = next(page for page in PAGES if page.name == fence.place.partition(":")[0])
    values = next(found for found in fences(page) if found.is_values)
    (workplace / "values.yaml").write_text(values.text)

    run(fence.text, workplace)


def test_objects_named_in_commands_exist_in_the_chart() -> None:
    objects = render({"config": MINIMAL}).objects
    made = {(found["kind"].lower(), found["metadata"]["name"]) for found in objects}
    made |= {("secret", name) for name in MADE_BY_SETUP}
    named = {found for fence in SHELL if fence.needs for found in OBJECT.findall(fence.text)}

    assert named and named <= made


def test_alerts_named_on_pages_exist_in_the_chart() -> None:
    alerts = (CHART / "files/alerts.yaml").read_text()
    named = {name for page in PAGES for name in re.findall(r"ImageSwapper\w+", page.read_text())}

    assert named and all(f"alert: {name}\n" in alerts for name in named)


def test_values_set_in_commands_exist_in_the_chart() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in {path for fence in SHELL for path in re.findall(r"--set ([\w.]+)=", fence.text)}:
        node = values
        for key in path.split("."):
            assert key in node, path
            node = node[key]
