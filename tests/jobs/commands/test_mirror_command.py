"""``manage.py mirror``: an explicit request to copy images, with or without workers."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command

from mirrors.jobs.queue import leases
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.jobs.timing import from_now
from mirrors.models import ImageMapping, JobStatus, MirrorJob, Trigger
from tests.jobs.processes import environment
from tests.jobs.support import config_file, load, queue_copy, take
from tests.support.databases import ROOT
from tests.support.faulty_registry import FaultyRegistry, held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def config(source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> Path:
    return config_file(tmp_path, source, target)


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: str


Mirror = Callable[..., Ended]


@pytest.fixture
def mirror(config: Path, capsys: pytest.CaptureFixture[str]) -> Mirror:
    """A function that runs the command with the configuration file of this test."""

    def run(*arguments: str) -> Ended:
        status = 0
        try:
            call_command("mirror", "--config", str(config), *arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        return Ended(status, *capsys.readouterr())

    return run


def test_images_are_copied_without_a_worker(source: FaultyRegistry, target: FaultyRegistry, mirror: Mirror) -> None:
    for tag in ("1.0", "2.0"):
        load(source, tag=tag)
    result = mirror(f"{source.host}/app:1.0", f"{source.host}/app:2.0")
    place = f"{target.host}/{source.host.replace(':', '_')}/app"
    assert f"{source.host}/app:1.0: at {place}:1.0" in result.stdout
    assert f"{source.host}/app:2.0: at {place}:2.0" in result.stdout
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED, trigger=Trigger.OPERATOR).count() == 2


def test_an_image_of_an_unconfigured_registry_is_rejected_without_a_job(mirror: Mirror) -> None:
    result = mirror("10.0.0.7:5000/app:1.0")
    assert (result.status, MirrorJob.objects.count()) == (2, 0)
    assert "add it to the source registries first" in result.stderr


def test_json_output_has_one_object_per_image(source: FaultyRegistry, target: FaultyRegistry, mirror: Mirror) -> None:
    image = load(source)
    result = mirror("--json", f"{source.host}/app:1.0", f"{source.host}/app:missing")
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert result.status == 1
    assert (good["status"], good["digest"], good["bytes"]) == ("succeeded", image.root, image.blob_bytes)
    assert (bad["status"], bad["errorClass"]) == ("failed", "not-found")
    assert "check" in bad["error"]


def test_a_failure_is_printed_and_sets_the_exit_status(source: FaultyRegistry, mirror: Mirror) -> None:
    result = mirror(f"{source.host}/app:missing")
    assert result.status == 1
    assert f"{source.host}/app:missing: failed: " in result.stdout


def test_the_queue_option_queues_a_job_without_copying(
    source: FaultyRegistry, target: FaultyRegistry, mirror: Mirror
) -> None:
    result = mirror("--queue", f"{source.host}/app:1.0")
    job = MirrorJob.objects.get()
    assert job.status == JobStatus.PENDING and f"job {job.id}" in result.stdout
    assert source.requests == target.requests == []


def test_a_configured_dry_run_is_reported_and_the_image_is_copied(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, mirror: Mirror
) -> None:
    load(source)
    config_file(config.parent, source, target, dryRun=True)
    result = mirror(f"{source.host}/app:1.0")
    assert "dryRun is set" in result.stderr
    assert ImageMapping.objects.get().existence == "present"


def test_an_image_already_at_the_target_succeeds_without_a_second_push(
    source: FaultyRegistry, target: FaultyRegistry, mirror: Mirror
) -> None:
    load(source)
    for _ in range(2):
        mirror(f"{source.host}/app:1.0")
    assert target.count("PUT .*/manifests/1.0") == 1
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED).count() == 2


def test_the_command_waits_for_a_job_that_a_worker_has_claimed(
    source: FaultyRegistry, target: FaultyRegistry, config: Path
) -> None:
    """The command does not copy an image that another process is copying. It waits for that copy."""
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    held = take()
    MirrorJob.objects.update(lease_expires_at=from_now(600))
    command = subprocess.Popen(
        [sys.executable, "manage.py", "mirror", "--config", str(config), f"{source.host}/app:1.0"],
        cwd=ROOT,
        env={**os.environ, **environment(config, config.parent, SWAPPER_ROLE="all")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    assert command.stdout.readline() == f"{job.mapping.source}: copying\n"
    assert leases.succeed(held, AttemptReport())
    assert f"at {job.mapping.target}" in command.communicate(timeout=30)[0]
    assert command.returncode == 0
    assert source.requests == []


def test_a_terminal_shows_the_progress_of_a_blob_in_transfer(source: FaultyRegistry, config: Path) -> None:
    image = load(source, layers=1, layer_bytes=1_000_000)
    (layer,) = (digest for digest, content in image.blobs.items() if len(content) == 1_000_000)
    release = threading.Event()
    source.on(f"GET .*/blobs/{layer}", held(release, after=600_000))
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [sys.executable, "manage.py", "mirror", "--config", str(config), f"{source.host}/app:1.0"],
        cwd=ROOT,
        env={**os.environ, **environment(config, config.parent, SWAPPER_ROLE="all", COLUMNS="200")},
        stdout=theirs,
    )
    os.close(theirs)
    with open(ours, encoding="utf-8", errors="replace") as terminal:
        shown = iter(lambda: terminal.read(1), "")
        seen = ""
        while layer.partition(":")[2][:12] not in seen:
            seen += next(shown)
        release.set()
        while "copied of" not in seen:
            seen += next(shown)
        assert command.wait(30) == 0


@pytest.mark.parametrize("image", ["ghcr.io/UPPER", "app:not a tag", "app@sha256:short"])
def test_an_invalid_image_name_is_rejected(mirror: Mirror, image: str) -> None:
    result = mirror(image)
    assert result.status == 2
    assert image in result.stderr and "Traceback" not in result.stderr
    assert not MirrorJob.objects.exists()


def test_an_image_of_the_target_registry_is_rejected(target: FaultyRegistry, mirror: Mirror) -> None:
    result = mirror(f"{target.host}/app:1.0")
    assert result.status == 2
    assert "already at the target" in result.stderr
