"""Several clusters on one database: which cluster's credentials read an image, and which workers run a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.jobs.copy.other_clusters import redirect_waiting
from mirrors.jobs.copy.source_access import SourceFinder, SourceRequest
from mirrors.jobs.queue import claims
from mirrors.kubernetes.api_server.pull_secrets import FoundSecrets, Requester
from mirrors.models import Access, ErrorClass, Instance, JobStatus, MappingAccess, MirrorJob, Registry
from mirrors.registries.sources import SourceCatalog
from mirrors.services import RequestedCopy, request_copies
from swapper_project.config import Quotas
from tests.jobs.support import config_file, context, drain, load, queue_copy, take, target_row
from tests.support.faulty_registry import FaultyRegistry

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[FaultyRegistry]:
    """A source that requires credentials for everything."""
    (tmp_path / "password").write_text(PASSWORD)
    with FaultyRegistry(gatekeeper=Gatekeeper("token", "reader", PASSWORD)) as registry:
        load(registry)
        yield registry


class Clusters:
    """Workers of clusters, each with its own configuration file, that share one installation."""

    def __init__(self, directory: Path, source: FaultyRegistry, target: FaultyRegistry) -> None:
        self.directory, self.source, self.target = directory, source, target

    def work(self, cluster: str, *, namespaces: list[str] | None = None) -> None:
        """Drain as a worker of a cluster. Its credentials serve ``namespaces`` of that cluster (None: it has no
        credentials)."""
        directory = self.directory / cluster
        directory.mkdir(exist_ok=True)
        password = str(self.directory / "password")
        entry: dict[str, Any] = {}
        if namespaces is not None:
            entry = {"username": "reader", "passwordFile": password, "namespaces": namespaces}
        config = config_file(directory, self.source, self.target, entry=entry, clusterName=cluster)
        with context(config) as made:
            drain(made)

    def ask(self, cluster: str, namespace: str = "shop") -> MirrorJob:
        return queue_copy(f"{self.source.host}/app:1.0", target=self.target.host, cluster=cluster, namespace=namespace)


@pytest.fixture
def clusters(tmp_path: Path, private: FaultyRegistry, target: FaultyRegistry) -> Clusters:
    return Clusters(tmp_path, private, target)


def run_worker(cluster: str) -> None:
    """Record a running worker of the cluster."""
    Instance.objects.create(role="worker", cluster=cluster, name=f"worker-{cluster}")


def test_configured_credentials_are_used_only_in_their_own_cluster(clusters: Clusters) -> None:
    job = clusters.ask("b")

    clusters.work("a", namespaces=["shop"])

    job.refresh_from_db()
    assert (job.status, job.needs_cluster, job.attempts) == (JobStatus.PENDING, "b", 0)
    assert clusters.target.storage.tags == {}

    clusters.work("b", namespaces=["shop"])

    job.refresh_from_db()
    assert (job.status, job.mapping.access) == (JobStatus.SUCCEEDED, Access.CONFIGURED)


def test_a_job_reports_that_its_cluster_has_no_worker(clusters: Clusters) -> None:
    job = clusters.ask("b")

    clusters.work("a")

    job.refresh_from_db()
    assert job.error_class == ErrorClass.UNAVAILABLE
    assert "only a worker in cluster b can read the pull secrets of b/shop" in job.error_message
    assert "none is running there. Start a worker in that cluster" in job.error_message
    attempt = job.attempt_rows.get()
    assert attempt.outcome == "handed-back"


def test_a_job_reports_that_it_waits_for_a_running_worker(clusters: Clusters) -> None:
    run_worker("b")
    job = clusters.ask("b")

    clusters.work("a")

    job.refresh_from_db()
    assert job.error_message.endswith("a worker of cluster b tries the pull secrets of b/shop next.")

    Instance.objects.all().delete()
    redirect_waiting()

    job.refresh_from_db()
    assert "none is running there" in job.error_message


def test_a_cluster_without_workers_does_not_delay_other_clusters(clusters: Clusters) -> None:
    job = clusters.ask("b")
    clusters.work("a")
    run_worker("c")
    clusters.ask("c")

    redirect_waiting()

    job.refresh_from_db()
    assert job.needs_cluster == "c"
    clusters.work("c", namespaces=["shop"])
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED


def test_a_job_fails_after_each_cluster_has_tried(clusters: Clusters) -> None:
    job = clusters.ask("a")
    clusters.ask("b")

    clusters.work("a")
    clusters.work("b")

    job.refresh_from_db()
    assert (job.status, job.mapping.access) == (JobStatus.FAILED, Access.UNREADABLE)


def test_each_cluster_copies_to_its_own_target(clusters: Clusters, private: FaultyRegistry, tmp_path: Path) -> None:
    with FaultyRegistry() as other:
        elsewhere = Clusters(tmp_path, private, other)
        job = elsewhere.ask("b")
        Registry.objects.filter(endpoint=other.host).update(clusters=["b"])

        clusters.work("a", namespaces=["shop"])

        job.refresh_from_db()
        assert (job.status, job.needs_cluster) == (JobStatus.PENDING, "b")
        assert "is at the target of cluster b: a worker there copies the image. None is running" in job.error_message

        elsewhere.work("b", namespaces=["shop"])

        job.refresh_from_db()
        assert job.status == JobStatus.SUCCEEDED


def test_workers_do_not_claim_jobs_that_need_another_cluster() -> None:
    theirs = queue_copy("quay.io/team/theirs:1", cluster="b", namespace="shop")
    MirrorJob.objects.filter(pk=theirs.pk).update(needs_cluster="b")
    anybodys = queue_copy("quay.io/team/anybodys:1", cluster="b", namespace="other")

    assert take(cluster="a").job_id == anybodys.pk
    assert claims.claim(worker="tests", cluster="a") is None
    assert take(cluster="b").job_id == theirs.pk


def test_namespaces_with_the_same_name_in_two_clusters_take_turns() -> None:
    first = queue_copy("quay.io/team/first:1", cluster="a", namespace="shop")
    second = queue_copy("quay.io/team/second:1", cluster="a", namespace="shop")
    other = queue_copy("quay.io/team/other:1", cluster="b", namespace="shop")
    MirrorJob.objects.update(available_at=Now())

    assert take().job_id == first.pk
    assert take().job_id == other.pk, "shop of b has no copy yet"
    assert take().job_id == second.pk


def test_quotas_apply_to_each_cluster_separately() -> None:
    quotas = Quotas.model_validate({"pendingJobs": 1})

    def ask(cluster: str, number: int) -> str:
        source = f"quay.io/team/app:{cluster}-{number}"
        requested = RequestedCopy(source, f"mirror.example.com:5000/{source}", cluster=cluster, namespace="shop")
        (outcome,) = request_copies(target_registry_id=target_row().pk, requests=[requested], quotas=quotas)
        return outcome.problem

    assert [ask("a", 1), ask("a", 2), ask("b", 1), ask("b", 2)] == ["", "quota", "", "quota"]


def test_a_failure_in_one_cluster_does_not_block_requests_of_others(clusters: Clusters) -> None:
    clusters.ask("a")
    clusters.work("a")

    def problem(cluster: str) -> str:
        source = f"{clusters.source.host}/app:1.0"
        target = MirrorJob.objects.get().mapping.target
        requested = RequestedCopy(source, target, cluster=cluster, namespace="shop")
        registry = target_row(clusters.target.host)
        return request_copies(target_registry_id=registry.pk, requests=[requested])[0].problem

    assert problem("a") == "failed-recently"
    assert problem("b") == ""


def test_a_worker_reads_no_pull_secrets_of_another_cluster(tmp_path: Path) -> None:
    read: list[Requester] = []

    def pull_secrets(ref: ImageRef, requester: Requester) -> FoundSecrets:
        read.append(requester)
        return FoundSecrets()

    finder = SourceFinder(SourceCatalog([], credentials_dir=tmp_path), "guard", lambda ref, how: None, pull_secrets)
    ours, theirs = Requester("shop", cluster="b"), Requester("shop", cluster="a")

    with pytest.raises(JobRefusedError) as refused:
        finder.find(SourceRequest(ImageRef.parse("quay.io/team/app:1"), [theirs, ours], Access.UNKNOWN, "b"))

    assert read == [ours]
    assert refused.value.grants == {"shop": False}, "of the cluster b"


def test_a_worker_records_no_access_for_namespaces_of_another_cluster(clusters: Clusters) -> None:
    """A worker of another cluster records no access for any namespace."""
    clusters.ask("a")
    clusters.work("b")

    assert not MappingAccess.objects.exists()
