"""``manage.py mirror --self``: the installation's own images, and the chart values that use them from the mirror."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from mirrors.models import JobStatus, MirrorJob
from swapper_project.process import release
from tests.jobs.support import load
from tests.support.faulty_registry import FaultyRegistry
from tests.support.system import write_config

pytestmark = pytest.mark.django_db(transaction=True)

OURS = release.IMAGE_REPOSITORY.partition("/")[2]
DATABASE = release.DATABASE_REPOSITORY.partition("/")[2]


@pytest.fixture
def config(source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> Path:
    """A configuration file in which the test's registry replaces the public registries."""
    hosts = ("ghcr.io", "docker.io")
    entries = [{"type": "oci", "host": host, "insecure": True, "connectTo": source.host} for host in hosts]
    load(source, DATABASE, release.DATABASE_TAG)
    return write_config(tmp_path / "config.yaml", target=target.host, source={"registries": entries})


def printed_values(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    values: dict[str, dict[str, object]] = yaml.safe_load(capsys.readouterr().out)
    return values


def test_own_images_are_mirrored_and_chart_values_are_printed(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(source, OURS, release.VERSION)

    call_command("mirror", "--config", str(config), "--self")

    values = printed_values(capsys)
    assert values == {
        "image": {"repository": f"{target.host}/ghcr.io/{OURS}"},
        "postgresql": {
            "image": {"repository": f"{target.host}/docker.io/{DATABASE}", "tag": release.DATABASE_TAG},
        },
    }
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED).count() == 2
    assert release.VERSION in target.storage.tag_names(f"ghcr.io/{OURS}")


def test_the_release_option_mirrors_the_image_of_that_release(
    source: FaultyRegistry, target: FaultyRegistry, config: Path
) -> None:
    load(source, OURS, "9.8.7")

    call_command("mirror", "--config", str(config), "--self", "--release", "9.8.7")

    assert "9.8.7" in target.storage.tag_names(f"ghcr.io/{OURS}")


def test_no_values_are_printed_if_an_image_cannot_be_mirrored(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as result:
        call_command("mirror", "--config", str(config), "--self")

    assert result.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == "" and f"{OURS}:{release.VERSION}: failed" in printed.err


def test_an_image_or_the_self_option_is_required(config: Path) -> None:
    with pytest.raises(CommandError, match="Name an image, or --self"):
        call_command("mirror", "--config", str(config))
