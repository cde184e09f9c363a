"""The dashboard: which images are mirrored, which are not, and why. Each number links to the rows that it counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import conditional_page

from mirrors.admin.overview.attention import attention_entries, days_until
from mirrors.admin.overview.choice import RANGES, DashboardChoice
from mirrors.admin.overview.cluster_attention import cluster_entries
from mirrors.admin.overview.dashboard_charts import charts, percent
from mirrors.admin.overview.shared_hosts import SharedHosts
from mirrors.admin.overview.state_tiles import rare_states
from mirrors.admin.tools import links
from mirrors.models import (
    BackfillRun,
    JobStatus,
    MirrorJob,
    Priority,
    Registry,
    RegistryCheck,
    RegistryRole,
)
from mirrors.models.clusters.readiness import percent_protected
from mirrors.selectors.clusters.backfill import BackfillProgress, running_backfills
from mirrors.selectors.clusters.clusters import cluster_names
from mirrors.selectors.clusters.suspensions import target_from_banner
from mirrors.selectors.jobs.job_progress import view as copy_view
from mirrors.selectors.overview.current_state import DashboardFacts, copies_under_way
from mirrors.selectors.overview.statistics import BY_HOUR, Overview, numbers
from mirrors.templatetags.banners import cache_targets
from swapper_project.process import configured
from swapper_project.process.kill_switch import Switch

REGISTRIES: Final = 20
"""The maximum number of registries on the dashboard: as many as fit on a screen. The list of registries has all."""


def context(request: HttpRequest, page: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the index page. unfold calls this function."""
    shown = _live(request)
    unit = "hour" if shown["choice"].hours <= BY_HOUR else "day"
    return {**page, **shown, "title": "Dashboard", "unit": unit}


@conditional_page
def live(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that refreshes itself."""
    return render(request, "admin/dashboard/numbers.html", _live(request))


live_view = admin.site.admin_view(live)


def _live(request: HttpRequest) -> dict[str, Any]:
    rows = _registry_rows()
    choice = DashboardChoice.of(request, [row for row in rows if row.role == RegistryRole.TARGET])
    cluster = choice.cluster
    scope = {"cluster": cluster} if cluster else {}
    overview = Overview(hours=choice.hours, cluster=cluster)
    stats, images = numbers(overview), overview.facts.images
    targets = cache_targets(request, [target_from_banner(row) for row in overview.facts.disturbed or ()])
    shared_hosts = SharedHosts.of(rows, overview.since)
    registries = _registries(rows, stats, shared_hosts, overview.since, has_several=bool(choice.clusters))
    return {
        "choice": choice,
        "cluster": cluster,
        "range_name": dict(RANGES)[overview.hours],
        "stats": stats,
        "images": images,
        "rare_states": rare_states(images),
        "charts": charts(overview.series()),
        "coverage": percent(stats["coverage"]),
        "coverages": [_coverage(entry, overview) for entry in stats["coverages"]],
        "attention": [
            *cluster_entries(overview.facts, targets, cluster=cluster),
            *attention_entries(overview, stats, images, registries),
        ],
        "may_operate": request.user.has_perm("mirrors.change_mirrorjob"),
        "failed_total": sum(stats["failed"].values()),
        "queue": [_line(line) for line in stats["queue"] if line["waiting"] or line["running"]],
        "running": [_running(job) for job in copies_under_way()] if stats["jobs"]["running"] else [],
        "backfills": [_backfill(*backfill) for backfill in running_backfills(**scope)]
        if overview.facts.is_backfilling
        else [],
        "registries": registries,
        "other_pulls": _of_other_hosts(stats["remaining_pulls"], registries),
        "other_failures": _other_failures(
            stats["failed_by_host"], registries, shared_hosts.unassigned_jobs, overview.since
        ),
        "is_empty": not overview.facts.is_mapped,
        "readiness": _readiness(overview.facts, cluster),
        "banner": banner(),
        "certificate_days": days_until(stats["certificate_expires_at"], overview.now),
        "links": _links(overview),
    }


def _links(overview: Overview) -> dict[str, str]:
    """Return the links to the rows behind each number, by the name of the number."""
    cluster = overview.cluster
    finished_since = links.time_range_from("finished_at", overview.since)
    return {
        **{state: links.mappings(state=state) for state in ("mirrored", "failed", "queued", "copying", "paused")},
        "succeeded_jobs": links.jobs(status__exact="succeeded", **finished_since),
        "failed_jobs": links.jobs(status__exact="failed", **finished_since),
        "copied": links.attempts(**finished_since),
        "from_mirror": links.decisions(overview.since, coverage="mirrored", cluster=cluster),
        "decisions": links.decisions(overview.since, coverage="admitted", cluster=cluster),
        "first_seen": links.decisions(overview.since, coverage="first-seen", cluster=cluster),
        "excluded": links.decisions(overview.since, coverage="excluded", cluster=cluster),
        "instances": links.of_cluster("instance", cluster, reports="yes"),
        "all_instances": links.of_cluster("instance", cluster),
        "hosts": reverse("admin:mirrors_hostbudget_changelist"),
    }


def _coverage(entry: dict[str, Any], overview: Overview) -> dict[str, Any]:
    now, before = percent(entry["coverage"]), percent(entry["before"])
    change = round(now - before, 1) if now is not None and before is not None else None
    name = "24 hours" if entry["hours"] == 24 else "7 days"
    link = links.decisions(overview.begin_of(entry["hours"]), coverage="admitted", cluster=overview.cluster)
    is_chosen = entry["hours"] == overview.hours
    return {"name": name, "percent": now, "change": change, "link": link, "is_chosen": is_chosen}


def _readiness(facts: DashboardFacts, cluster: str) -> dict[str, Any] | None:
    """Return the newest readiness of the clusters; None if no cluster is watched."""
    if facts.workloads is None or facts.unprotected is None:
        return None
    percent = percent_protected(facts.workloads, facts.unprotected)
    link = links.of_cluster("readinesssample", cluster)
    return {"percent": percent, "workloads": facts.workloads, "unprotected": facts.unprotected, "link": link}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    lists = {s: links.jobs(status__exact=s, priority__exact=line["priority"]) for s in ("pending", "running")}
    return {**line, "label": Priority(line["priority"]).label, "links": lists}


def _registry_rows() -> list[Any]:
    """Return the enabled registries, targets first, each with the status of its last test."""
    enabled = Registry.objects.filter(enabled=True).annotate(test=RegistryCheck.newest_status())
    return list(enabled.order_by("-role", "endpoint")[:REGISTRIES])


def _registries(
    rows: Sequence[Any], stats: dict[str, Any], shared_hosts: SharedHosts, since: datetime, *, has_several: bool
) -> list[dict[str, Any]]:
    """Return the registries with their failures and rate limits, and with their clusters if there are several."""
    shared = {row.endpoint.rpartition(":")[0] for row in rows}
    return [
        {
            "name": str(row),
            "covers": row.covers,
            "role": row.role,
            "clusters": cluster_names(row) if has_several else "",
            "link": reverse("admin:mirrors_registry_change", args=[row.pk]),
            "test": row.test,
            **(
                _failed_in_cluster(row, shared_hosts, since)
                if row in shared_hosts.rows
                else _failed_anywhere(row, stats["failed_by_host"], shared, since)
            ),
            "left": min(_values_of(row, stats["remaining_pulls"]), default=None),
            "resting": max(_values_of(row, stats["resting_hosts"]), default=None),
        }
        for row in rows
    ]


def _of_other_hosts(by_host: dict[str, int], registries: Collection[dict[str, Any]]) -> dict[str, int]:
    """Return the numbers of hosts that the table of registries does not show."""
    return {host: number for host, number in by_host.items() if not any(row["covers"](host) for row in registries)}


def _other_failures(
    by_host: dict[str, int], registries: Collection[dict[str, Any]], unassigned_jobs: int, since: datetime
) -> dict[str, Any]:
    """Return the failed jobs that no row of the table of registries counts, with a link to them. Most of their hosts
    are public registries. ``unassigned_jobs`` counts those at hosts that the table shows, but of clusters that it does
    not show; no link can select them."""
    other_hosts = _of_other_hosts(by_host, registries)
    hosts = ",".join(list(other_hosts)[: links.HOSTS_IN_URL])
    link = links.jobs(status__exact="failed", error_host=hosts, **links.time_range_from("finished_at", since))
    is_listed = len(other_hosts) <= links.HOSTS_IN_URL and not unassigned_jobs
    return {
        "jobs": sum(other_hosts.values()) + unassigned_jobs,
        "unassigned_jobs": unassigned_jobs,
        "link": link if is_listed else "",
    }


def _failed_in_cluster(row: Registry, shared_hosts: SharedHosts, since: datetime) -> dict[str, Any]:
    """Return the failed jobs of a registry whose host has registries of several clusters. The registry of all clusters
    has no link, because no list can select only the jobs of the other clusters."""
    in_cluster = {"cluster": row.cluster, **links.time_range_from("finished_at", since)}
    return {
        "failed": shared_hosts.failed(row),
        "failed_link": links.failed_at(row, **in_cluster) if row.cluster else "",
    }


def _failed_anywhere(
    row: Registry, by_host: dict[str, int], shared: Collection[str], since: datetime
) -> dict[str, Any]:
    link = links.failed_at(row, **links.time_range_from("finished_at", since))
    return {"failed": _failed(row, by_host, shared, since), "failed_link": link}


def _failed(row: Registry, by_host: dict[str, int], shared: Collection[str], since: datetime) -> int:
    """Return the number of failed jobs of a registry. ``shared`` contains the host names of registries with a port.
    Errors of earlier releases have the host without the port, so the jobs at such a host have to be counted one by
    one."""
    name = row.endpoint.rpartition(":")[0] or row.endpoint
    if name in shared and name in by_host:
        failed_jobs = MirrorJob.objects.failed_at(*row.names).filter(status=JobStatus.FAILED, finished_at__gte=since)
        return failed_jobs.count()
    return sum(_values_of(row, by_host))


def _values_of(row: Registry, by_host: dict[str, Any]) -> list[Any]:
    return [value for host, value in by_host.items() if row.covers(host)]


def banner() -> str:
    """Return the message at the top of the page: swapping is off, the configuration is not applied, or dry run; else
    empty."""
    if Switch(settings.ENVIRONMENT).is_off():
        return "Swapping is switched off: pods run from their sources."
    source = configured.source()
    if source is not None:
        if source.problem:
            return f"The configuration file is not applied; the last valid version is active. {source.problem}"
        if source.current.dry_run:
            return "Dry run: all decisions are recorded and no pod is changed. Set dryRun: false to start swapping."
    return ""


def _running(job: MirrorJob) -> dict[str, Any]:
    progress = getattr(job, "progress", None)
    return {
        "source": job.mapping.source,
        "link": reverse("admin:mirrors_mirrorjob_change", args=[job.pk]),
        "progress": copy_view(progress) if progress else None,
    }


def _backfill(run: BackfillRun, progress: BackfillProgress) -> dict[str, Any]:
    link = reverse("admin:mirrors_backfillrun_change", args=[run.pk])
    return {"run": run, "link": link, "progress": progress}
