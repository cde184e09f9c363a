"""The dashboard: what is mirrored, what is not and why, each number a link to the rows behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import conditional_page

from mirrors.models import ErrorClass, ImageMapping, MirrorJob, TargetRepository
from mirrors.stats import Point, running_copies, series, stats
from swapper_project import config as configuration
from swapper_project.config import ConfigError, ConfigSource
from swapper_project.switch import Switch

RANGES: Final = ((24, "24 hours"), (168, "7 days"), (720, "30 days"))
JOBS: Final = "admin:mirrors_mirrorjob_changelist"


def context(request: HttpRequest, page: dict[str, Any]) -> dict[str, Any]:
    """unfold's hook for the index page."""
    hours = _hours(request)
    return {
        **page,
        **numbers(hours),
        "title": "Dashboard",
        "ranges": [{"hours": h, "name": name, "is_chosen": h == hours} for h, name in RANGES],
        "charts": _charts(series(hours=hours)),
    }


@conditional_page
def live(request: HttpRequest) -> HttpResponse:
    """The part of the page that refreshes itself."""
    return render(request, "admin/dashboard/numbers.html", numbers(_hours(request)))


live_view = admin.site.admin_view(live)


def numbers(hours: int) -> dict[str, Any]:
    found = stats(hours=hours)
    since = timezone.now() - timedelta(hours=hours)
    ended_since = {"finished_at_from_0": f"{since:%Y-%m-%d}", "finished_at_from_1": f"{since:%H:%M:%S}"}
    failures = [_failure(name, jobs, ended_since) for name, jobs in found["failed"].items()]
    return {
        "hours": hours,
        "stats": found,
        "coverage_percent": None if found["coverage"] is None else round(100 * found["coverage"], 1),
        "failures": sorted(failures, key=lambda failure: -failure["jobs"]),
        "failed_total": sum(found["failed"].values()),
        "queue": [(name, seconds) for name, seconds in found["oldest_due_seconds"].items() if seconds],
        "running": [_running(job) for job in running_copies()],
        "differing": TargetRepository.objects.filter(has_differences=True).count(),
        "is_empty": not ImageMapping.objects.exists(),
        "banner": banner(),
        "links": {
            "mappings": reverse("admin:mirrors_imagemapping_changelist"),
            "pending": _jobs(status__exact="pending"),
            "running": _jobs(status__exact="running"),
            "succeeded": _jobs(status__exact="succeeded", **ended_since),
            "failed": _jobs(status__exact="failed", **ended_since),
            "decisions": reverse("admin:mirrors_decisioncount_changelist"),
            "differing": reverse("admin:mirrors_targetrepository_changelist") + "?has_differences__exact=1",
        },
        "now": timezone.now(),
    }


def _failure(name: str, jobs: int, ended_since: dict[str, str]) -> dict[str, Any]:
    link = _jobs(status__exact="failed", error_class__exact=name, **ended_since)
    return {"name": dict(ErrorClass.choices).get(name, name), "jobs": jobs, "link": link}


def banner() -> str:
    """What stops all swapping, in large letters."""
    if Switch(settings.ENVIRONMENT).is_off():
        return "Swapping is switched off: pods run from their sources."
    try:
        source = _configuration()
    except ConfigError:
        return ""
    if source is not None:
        source.poll()
        if source.problem:
            return "The configuration file has an error and is not in force: run manage.py config check."
        if source.current.dry_run:
            return "Dry run: everything is decided and recorded, and nothing is changed. Set dryRun: false to begin."
    return ""


@lru_cache(maxsize=1)
def _configuration() -> ConfigSource | None:
    environment = settings.ENVIRONMENT
    path = configuration.find(str(environment.config) if environment.config else None)
    return ConfigSource(path, environment.config_overrides) if path else None


def _hours(request: HttpRequest) -> int:
    text = request.GET.get("hours", "")
    return int(text) if text in {str(hours) for hours, _ in RANGES} else RANGES[0][0]


def _jobs(**query: str) -> str:
    return f"{reverse(JOBS)}?{urlencode(query)}"


def _running(job: MirrorJob) -> dict[str, Any]:
    progress = getattr(job, "progress", None)
    done = progress.bytes_copied + progress.bytes_mounted + progress.bytes_skipped if progress else 0
    total = progress.bytes_total if progress else 0
    return {
        "source": job.mapping.source,
        "link": reverse("admin:mirrors_mirrorjob_change", args=[job.pk]),
        "percent": min(100, round(100 * done / total)) if total else 0,
        "done": done,
        "total": total,
    }


def _charts(points: Iterable[Point]) -> dict[str, str]:
    """Data of unfold's charts, as JSON."""
    points = list(points)
    labels = [f"{p.at:%d %b}" if len(points) > 49 or p.at.hour == 0 else f"{p.at:%H:%M}" for p in points]
    share = [None if p.coverage is None else round(100 * p.coverage, 1) for p in points]
    return {
        "coverage": _chart(labels, ("Coverage, %", share, "var(--color-primary-600)")),
        "jobs": _chart(
            labels,
            ("Succeeded", [p.succeeded for p in points], "var(--color-primary-600)"),
            ("Failed", [p.failed for p in points], "#dc2626"),
        ),
        "bytes": _chart(
            labels, ("MiB copied", [round(p.bytes_copied / 2**20, 1) for p in points], "var(--color-primary-400)")
        ),
    }


def _chart(labels: list[str], *lines: tuple[str, list[Any], str]) -> str:
    sets = [
        {"label": name, "data": data, "borderColor": colour, "backgroundColor": colour, "displayYAxis": True}
        for name, data, colour in lines
    ]
    return json.dumps({"labels": labels, "datasets": sets})
