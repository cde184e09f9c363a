"""The life of a worker: it waits for its database, responds to probes over IPv4 and IPv6, and leaves no process
behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from mirrors.models import AttemptOutcome, JobStatus, MirrorAttempt, MirrorJob
from tests.jobs.processes import environment, worker
from tests.jobs.support import config_file, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, held
from tests.support.ports import free_port, wait_until
from tests.support.system import Process

pytestmark = pytest.mark.django_db(transaction=True)

BLOB = "GET .*/blobs/"


@pytest.fixture
def config(source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> Path:
    return config_file(tmp_path, source, target)


def answer(host: str, port: int, path: str) -> tuple[int, str]:
    """Return status and text, or status 0 if no process listens."""
    try:
        found = urllib3.request("GET", f"http://{host}:{port}{path}", retries=False, timeout=5)
    except urllib3.exceptions.HTTPError:
        return 0, ""
    return found.status, found.data.decode()


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def children(pid: int) -> list[int]:
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [number for number in numbers if parent_of(number) == pid]


def family(pid: int) -> list[int]:
    """Return the children and grandchildren of the process."""
    own = children(pid)
    return own + [number for child in own for number in children(child)]


@contextmanager
def started(config: Path, directory: Path, **extra: str) -> Iterator[Process]:
    """Start a worker without waiting for it to be ready."""
    process = Process(
        [sys.executable, "manage.py", "worker"], environment(config, directory, **extra), config.parent / "worker.log"
    )
    process.start()
    try:
        yield process
    finally:
        process.stop()


def is_alive_at(port: int, path: str = "/livez", host: str = "127.0.0.1") -> Callable[[], bool]:
    return lambda: answer(host, port, path)[0] == 200


def signal_children(parent: int, number: signal.Signals) -> None:
    """Send the signal to all processes that copy, push and record: the children of the worker's sentinel."""
    (sentinel,) = children(parent)
    for pid in children(sentinel):
        os.kill(pid, number)


def await_success(job: MirrorJob) -> None:
    result = MirrorJob.objects.filter(pk=job.pk, status=JobStatus.SUCCEEDED)
    wait_until(result.exists, what="the copy by another process")


@pytest.mark.parametrize("host", ["", "[::]"], ids=["no-host", "any-IPv6"])
def test_binding_to_all_addresses_includes_ipv4_and_ipv6(config: Path, tmp_path: Path, host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    port = free_port()
    with worker(config, tmp_path / "worker", SWAPPER_BIND=f"{host}:{port}"):
        for address in ("127.0.0.1", "[::1]"):
            wait_until(is_alive_at(port, "/livez", address), what=f"a worker at {address}")
            assert is_alive_at(port, "/readyz", address)()


def test_a_worker_is_live_and_ready_without_a_data_directory(config: Path, tmp_path: Path) -> None:
    port = free_port()
    nowhere = tmp_path / "a file"
    nowhere.touch()
    with started(config, nowhere / "data", SWAPPER_BIND=f"127.0.0.1:{port}"):
        wait_until(is_alive_at(port), what="a sign of life")
        wait_until(is_alive_at(port, "/readyz"), what="readiness")


def test_a_worker_waits_for_its_database(config: Path, tmp_path: Path) -> None:
    port, closed = free_port(), free_port()
    away = {"SWAPPER_DATABASE_URL": f"postgres://nobody@127.0.0.1:{closed}/none"}
    with started(config, tmp_path / "data", SWAPPER_BIND=f"127.0.0.1:{port}", **away) as process:
        wait_until(is_alive_at(port), what="a sign of life")
        wait_until(lambda: "database" in answer("127.0.0.1", port, "/readyz")[1], what="the reason")
        assert answer("127.0.0.1", port, "/readyz")[0] == 503
        log = process.log.read_text()
        assert "Traceback" not in log and "The worker is ready" not in log
        assert process.stop() == 0


def test_a_worker_whose_sentinel_is_killed_exits_with_an_error_message(config: Path, tmp_path: Path) -> None:
    with worker(config, tmp_path / "worker") as running:
        assert running.popen is not None
        (sentinel,) = children(running.popen.pid)
        os.kill(sentinel, signal.SIGKILL)
        assert running.popen.wait(30) == 1
        assert "must be restarted" in running.log.read_text()


@pytest.mark.parametrize("victim", ["parent", "sentinel"])
def test_all_child_processes_exit_after_the_parent_or_sentinel_is_killed(
    config: Path, tmp_path: Path, victim: str
) -> None:
    with worker(config, tmp_path / "worker") as running:
        assert running.popen is not None
        parent = running.popen.pid
        wait_until(lambda: len(family(parent)) >= 5, what="all its processes")
        everybody = family(parent)
        os.kill(parent if victim == "parent" else children(parent)[0], signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in everybody), what="the end of all of them")


def test_a_worker_stops_when_its_process_group_is_terminated(config: Path, tmp_path: Path) -> None:
    """systemd signals the whole process group. The sentinel can exit at any moment, with the locks that it holds."""
    for number in range(3):
        with worker(config, tmp_path / f"worker-{number}") as running:
            assert running.popen is not None
            os.killpg(running.popen.pid, signal.SIGTERM)
            assert running.popen.wait(30) is not None


def test_the_copy_of_a_killed_process_is_retried_by_a_replacement(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    """No other worker runs. All processes that copy, push and record are killed, and their replacements recover the
    job."""
    load(source)
    source.on(BLOB, held(source.closing), times=3)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with worker(config, tmp_path / "worker") as running:
        wait_until(lambda: source.count(BLOB) == 3, what="the copy")
        assert running.popen is not None
        signal_children(running.popen.pid, signal.SIGKILL)
        await_success(job)
        assert running.stop() == 0
    outcomes = MirrorAttempt.objects.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]


@pytest.mark.parametrize("asked", ["group", "one process"])
def test_copies_are_handed_back_on_sigterm_to_the_group_or_to_the_children(
    asked: str, source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    """A terminal and systemd send SIGTERM to all processes at the same time. A user can send it to a single one."""
    load(source)
    source.on(BLOB, held(source.closing), times=3)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with worker(config, tmp_path / "worker") as running:
        wait_until(lambda: source.count(BLOB) == 3, what="the copy")
        assert running.popen is not None
        parent = running.popen.pid
        if asked == "group":
            os.killpg(parent, signal.SIGTERM)
            assert running.popen.wait(40) == 0
            job.refresh_from_db()
            assert (job.status, job.attempts) == (JobStatus.PENDING, 0)
        else:
            signal_children(parent, signal.SIGTERM)
            await_success(job)
    first = MirrorAttempt.objects.order_by("number").first()
    assert first is not None
    assert first.outcome == AttemptOutcome.HANDED_BACK
