"""Metrics of several processes on one page, for webhook, web and worker, and the documentation of the metrics."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import urllib3
from prometheus_client.metrics import MetricWrapperBase

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from mirrors.readiness import collector
from mirrors.selectors.overview import queue_metrics
from swapper_project.process.monitoring import metrics
from tests.docs.markdown import code, rows
from tests.support.databases import ROOT, query
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Process, Webhook, pod_of, read_metrics, run_manage, web_process, write_config

PAGE = ROOT / "docs/metrics.md"


@pytest.fixture
def registries() -> Iterator[tuple[MemoryRegistry, MemoryRegistry]]:
    with MemoryRegistry() as source, MemoryRegistry() as target:
        for number in range(3):
            sample = sample_image(seed=number, layers=2, layer_bytes=1_000)
            sample.load(source.storage, f"team/app-{number}", "1.0")
        yield source, target


def page(port: int) -> dict[str, float]:
    try:
        response = POOL.request("GET", f"http://127.0.0.1:{port}/metrics", retries=False, timeout=5)
    except urllib3.exceptions.HTTPError:
        return {}
    assert response.status == 200
    return read_metrics(response.data.decode())


def test_each_role_exposes_its_metrics(
    registries: tuple[MemoryRegistry, MemoryRegistry], database_url: str, tmp_path: Path
) -> None:
    source, target = registries
    entry = {"type": "oci", "host": source.host, "insecure": True}
    config = write_config(tmp_path / "config.yaml", target=target.host, source={"registries": [entry]})
    worker_port, web_port = free_port(), free_port()
    webhook = Webhook(config, database_url, tmp_path)
    webhook.prepare()
    webhook.start()
    worker = webhook.worker()
    worker.environment = {**worker.environment, "SWAPPER_BIND": f"127.0.0.1:{worker_port}"}
    worker.start()
    try:
        with web_process(webhook, web_port):
            for number in range(3):
                webhook.admit(pod_of(f"{source.host}/team/app-{number}:1.0"))
            # No registry has this image, so its copy fails permanently.
            webhook.admit(pod_of(f"{source.host}/team/missing:1"))
            _shows_the_copies(worker_port, target.host)
            _shows_the_reviews(webhook)
            wait_until(lambda: 'swapper_jobs{status="pending"}' in page(web_port), what="the queue's figures")
            assert 'swapper_job_oldest_seconds{priority="delayed"}' in page(web_port)
    finally:
        worker.stop()
        webhook.stop()


def _shows_the_copies(port: int, target: str) -> None:
    done = 'swapper_job_attempts_total{error="none",outcome="succeeded"}'
    failed = 'swapper_job_attempts_total{error="not-found",outcome="failed"}'
    wait_until(lambda: page(port).get(done) == 3, timeout=60, what="copies in the worker's metrics")
    wait_until(lambda: page(port).get(failed) == 1, timeout=60, what="the failure in them")
    copies = page(port)
    assert copies["swapper_copy_duration_seconds_count"] == 3
    assert copies['swapper_copy_bytes_total{kind="copied"}'] > 3_000
    assert copies[f'swapper_registry_requests_total{{code="201",host="{target}",method="PUT"}}'] > 3
    assert copies["process_resident_memory_bytes"] > 0


def _shows_the_reviews(webhook: Webhook) -> None:
    webhook.admit(pod_of("nginx:1.25", *["auto"] * 2))
    admissions = webhook.metrics()
    assert admissions['swapper_admission_requests_total{operation="CREATE",outcome="unchanged"}'] == 5
    assert admissions["swapper_admission_duration_seconds_count"] == 5
    assert admissions['swapper_images_total{decision="keep",reason="placeholder"}'] == 2
    assert admissions['swapper_existence_lookups_total{answer="absent",source="registry"}'] >= 4
    assert (admissions["swapper_dry_run"], admissions["swapper_swap_enabled"]) == (0, 1)
    assert not any("certificate" in name for name in admissions), "over plain HTTP there is none that expires"


def test_worker_metrics_survive_killed_processes(
    registries: tuple[MemoryRegistry, MemoryRegistry], database_url: str, tmp_path: Path
) -> None:
    """After a process of the cluster is killed, its counts remain, and its successor continues from them."""
    source, target = registries
    entry = {"type": "oci", "host": source.host, "insecure": True}
    config = write_config(tmp_path / "config.yaml", target=target.host, source={"registries": [entry]})
    port = free_port()
    webhook = Webhook(config, database_url, tmp_path)
    webhook.prepare()
    worker = webhook.worker()
    worker.environment = {**worker.environment, "SWAPPER_BIND": f"127.0.0.1:{port}"}
    worker.start()
    done = 'swapper_job_attempts_total{error="none",outcome="succeeded"}'
    try:
        for number in range(3):
            image = f"{source.host}/team/app-{number}:1.0"
            run_manage("mirror", "--queue", image, environment=webhook.environment)
            wait_until(partial(is_counted, port, done, number + 1), timeout=60, what="the copy")
            for pid in copying_processes(worker):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: page(port).get(done) == 3, what="the count without the processes that have counted")
    finally:
        worker.stop()
    assert query(database_url, "SELECT count(*) FROM mirrors_mirrorjob WHERE status = 'succeeded'") == [(3,)]


def is_counted(port: int, sample: str, number: int) -> bool:
    return page(port).get(sample) == number


def copying_processes(worker: Process) -> list[int]:
    """Return the processes of the cluster with a histogram file of copy durations, which are django-q2's workers."""
    assert worker.popen is not None
    found = []
    for pid in descendants(worker.popen.pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # the process has ended
            if re.search(rf"swapper-metrics-\w+/histogram_{pid}\.db", Path(f"/proc/{pid}/maps").read_text()):
                found.append(pid)
    return found


def descendants(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [other for child in children for other in descendants(child)]


def test_the_documented_metrics_match_the_code() -> None:
    table = rows(PAGE, "Metric", "Where", "Labels", "Meaning")
    documented = {code(cells[0])[0]: (cells[1].split(", "), code(cells[2])) for cells in table}
    ours = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            ours[name] = (
                [role for role, shown in metrics.METRICS_BY_ROLE.items() if metric in shown],
                list(metric._labelnames),
            )

    read = {*queue_metrics.QUEUE_METRICS, *collector.READINESS_METRICS}
    assert {name: reported for name, reported in documented.items() if name not in read} == ours
    assert read <= set(documented)
