"""Jobs for the workers of another cluster: a worker reads only the pull secrets of its own cluster, and copies only to
the target in its own configuration file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from mirrors.images import ImageRef
from mirrors.jobs.copy.failures import Failure
from mirrors.kubernetes.api_server.pull_secrets import Requester
from mirrors.models import ErrorClass, JobStatus, MirrorJob, MirrorRequest
from mirrors.selectors.overview.current_state import clusters_with_workers
from mirrors.selectors.queries.fixed_query import Argument, fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace

MOVED_JOBS_PER_TURN: Final = 500
"""The maximum number of jobs that one turn processes. Others wait for the next turn."""

NAMESPACES_IN_MESSAGE: Final = 5
"""The maximum number of namespaces that a message names."""


@dataclass(frozen=True, slots=True)
class NextCluster:
    """The cluster whose workers run a job next, the namespaces whose pull secrets they try, and whether any of its
    workers is running."""

    cluster: str
    namespaces: tuple[str, ...]
    has_workers: bool

    def message(self, source: ImageRef) -> str:
        """Return the message that operators see while the job waits."""
        names = ", ".join(str(ClusterNamespace(self.cluster, name)) for name in self.namespaces[:NAMESPACES_IN_MESSAGE])
        hidden = f"{source} was not found, or is private"
        if self.has_workers:
            return f"{hidden}; a worker of cluster {self.cluster} tries the pull secrets of {names} next."
        return (
            f"{hidden}; only a worker in cluster {self.cluster} can read the pull secrets of {names}, and "
            f"none is running there. Start a worker in that cluster, or configure credentials for {source.registry} "
            "that serve this namespace."
        )

    def failure(self, source: ImageRef, grants: Mapping[str, bool]) -> Failure:
        error_class = ErrorClass.DENIED if self.has_workers else ErrorClass.UNAVAILABLE
        return Failure(
            error_class, self.message(source), permanent=False, host=source.registry, grants=grants, says_step=True
        )


class OtherClusterError(Exception):
    """This worker cannot run the job, but workers of another cluster may be able to."""

    def __init__(self, cluster: str, failure: Failure) -> None:
        super().__init__(failure.message)
        self.cluster = cluster
        self.failure = failure


@fixed_query
def _requesters(job_id: Argument) -> QuerySet[MirrorRequest, Any]:
    rows = MirrorRequest.objects.filter(job_id=job_id).order_by("id")
    return rows.values_list("namespace", "service_account", "secret_names", "cluster")


def requesters_of(job: MirrorJob) -> list[Requester]:
    """Return the requesters of the copy, the earliest first."""
    rows = _requesters(job.pk)
    requesters = [
        Requester(ns, account, tuple(filter(None, names.split(","))), cluster) for ns, account, names, cluster in rows
    ]
    return requesters or [Requester(job.namespace, cluster=job.cluster)]


def target_cluster_error(job: MirrorJob, own_cluster: str) -> OtherClusterError | None:
    """Return the error that hands the job over to a cluster that is configured with its target; None if there is no
    such cluster left. ``own_cluster`` is this worker's cluster, whose target is another one."""
    tried = {own_cluster, *job.tried_clusters.split(",")}
    clusters = sorted(set(job.mapping.target_registry.clusters) - tried)
    if not clusters:
        return None
    running = clusters_with_workers()
    chosen = min(clusters, key=lambda name: (name not in running, name))
    message = f"{job.mapping.target} is at the target of cluster {chosen}: a worker there copies the image."
    if chosen not in running:
        message = f"{message} None is running: start a worker in that cluster."
    return OtherClusterError(chosen, Failure(ErrorClass.UNAVAILABLE, message, permanent=False, says_step=True))


def next_cluster(job: MirrorJob, requesters: Collection[Requester], own_cluster: str) -> NextCluster | None:
    """Return the cluster of a requester whose workers have not tried the job yet; None if there is none. Clusters with
    running workers are preferred."""
    tried = {own_cluster, *job.tried_clusters.split(",")}
    return _next_cluster(
        ((requester.cluster, requester.namespace) for requester in requesters), tried, clusters_with_workers()
    )


def _next_cluster(
    namespaces: Iterable[tuple[str, str]], tried: Collection[str], running: Collection[str]
) -> NextCluster | None:
    by_cluster: dict[str, set[str]] = {}
    for cluster, namespace in namespaces:
        if namespace and cluster not in tried:
            by_cluster.setdefault(cluster, set()).add(namespace)
    if not by_cluster:
        return None
    chosen = min(by_cluster, key=lambda name: (name not in running, name))
    return NextCluster(chosen, tuple(sorted(by_cluster[chosen])), chosen in running)


def redirect_waiting() -> None:
    """Update jobs that wait for a cluster without running workers: redirect them to the cluster of another requester if
    that has workers, and update their message."""
    if not MirrorJob.objects.filter(status=JobStatus.PENDING).exclude(needs_cluster="").exists():
        return
    running = clusters_with_workers()
    waiting = MirrorJob.objects.filter(status=JobStatus.PENDING).exclude(needs_cluster__in=["", *running])
    for job in waiting.select_related("mapping").prefetch_related("requests").order_by("id")[:MOVED_JOBS_PER_TURN]:
        _redirect(job, running)


def _redirect(job: MirrorJob, running: Collection[str]) -> None:
    namespaces = [(row.cluster, row.namespace) for row in job.requests.all()] or [(job.cluster, job.namespace)]
    chosen = _next_cluster(namespaces, job.tried_clusters.split(","), running)
    if chosen is None:
        return
    failure = chosen.failure(ImageRef.parse(job.mapping.source), {})
    pending = MirrorJob.objects.filter(pk=job.pk, status=JobStatus.PENDING, needs_cluster=job.needs_cluster)
    pending.update(
        needs_cluster=chosen.cluster,
        error_class=failure.error_class,
        error_message=failure.message,
        error_says_step=True,
    )
