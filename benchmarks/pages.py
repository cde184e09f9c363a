"""The pages that operators and scripts open, derived from the models that the admin and the API have registered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from benchmarks.api_pages import api
from benchmarks.page import SEARCHED, Page
from mirrors.admin.tools import links
from mirrors.models import (
    AdmissionSample,
    BackfillRun,
    ClusterNode,
    ImageMapping,
    MirrorJob,
    PullFailure,
    RestartLoop,
    RunningImage,
    TargetHealth,
)

LISTS_ONLY = ("mirrors", "accounts")
LARGE = (
    "imagemapping",
    "mirrorjob",
    "mirrorattempt",
    "mirrorrequest",
    "imageuse",
    "decisioncount",
    "admissionsample",
    "runningimage",
    "backfillimage",
)
"""Models with large tables, of which all pages are measured. Of the others, only the first page and the filters."""

TYPED = {
    "imagemapping": (
        "namespace=api-000",
        "source=docker.io",
        "state=failed",
        "reason=denied",
        "seen=not-quarter",
        "q=rate-limited",
    ),
    "mirrorjob": ("error_host=ghcr.io", "namespace=api-000", "status__exact=failed&error_class__exact=denied"),
    "admissionsample": ("namespace=api-000",),
    "decisioncount": ("coverage=mirrored", "reason=absent", "filter=none-such"),
    "operatoraction": ("action=retry",),
    "instance": ("reports=yes",),
    "runningimage": (
        "state=ended",
        "mirrored=no",
        "namespace=api-000",
        "namespace=api-000&mirrored=no",
        "cluster=staging&state=failing",
        "cluster=none-such",
    ),
    "clusternode": ("cluster=staging&ready__exact=0",),
    "pullfailure": ("cause__exact=denied&at__exact=target", "at__exact=source&is_mirrored__exact=1&cluster=staging"),
    "restartloop": ("cluster=staging",),
    "backfillimage": ("run__id__exact=3", "run__id__exact=10&state__exact=queued", "state__exact=failed"),
    "readinesssample": ("cluster=staging", "without=docker.io&namespace=api-000", "list=drift"),
}
"""Filters that users type or combine, in addition to the choices that a list offers."""

POD = {
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "a", "image": "mirror.example.com/a"}]},
}


def pages(user: User) -> Iterator[Page]:
    yield from dashboard()
    for model, model_admin in admin.site._registry.items():
        opts = model._meta
        if opts.app_label in LISTS_ONLY and user.has_perm(f"{opts.app_label}.view_{opts.model_name}"):
            yield from lists(model, model_admin, user)
    yield from search_in_menu()
    yield from details()
    yield from cluster_details()
    yield from api()


def dashboard() -> Iterator[Page]:
    for hours in (24, 168, 720):
        yield Page(f"dashboard, {hours} h", f"{reverse('admin:index')}?hours={hours}")
        yield Page(f"dashboard, live part, {hours} h", f"{reverse('dashboard-live')}?hours={hours}")
        yield Page(f"API stats, {hours} h", f"{reverse('stats')}?hours={hours}")
    for hours in (24, 720):
        query = f"?hours={hours}&cluster=staging"
        yield Page(f"dashboard of a cluster, {hours} h", reverse("admin:index") + query)
        yield Page(f"dashboard of a cluster, live part, {hours} h", reverse("dashboard-live") + query)
        yield Page(f"API stats of a cluster, {hours} h", reverse("stats") + query)
    month = timezone.now() - timedelta(days=30)
    yield Page("attempts of 30 days, summed", links.attempts(**links.time_range_from("finished_at", month)))
    yield Page("decisions of 30 days, summed", links.decisions(month, coverage="admitted"))


def lists(model: type[Model], model_admin: ModelAdmin[Any], user: User) -> Iterator[Page]:
    """Yield the first page, and each filter once; for large tables also a page far in, each order in both directions,
    and searches."""
    name = str(model._meta.verbose_name_plural)
    base = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    yield Page(f"{name}, first page", base)
    request = RequestFactory().get(base)
    request.user = user
    listed = model_admin.get_changelist_instance(request)
    if model._meta.model_name in LARGE:
        yield from _far_and_found(name, base, listed)
    for spec in listed.filter_specs:
        queries = [c.get("query_string", "?") for c in spec.choices(listed) if not c.get("selected")]
        # The last choice is often the rarest value.
        if queries and queries[-1] != "?":
            yield Page(f"{name}: {queries[-1][1:]}", base + queries[-1])
    for query in TYPED.get(str(model._meta.model_name), ()):
        yield Page(f"{name}: {query}", f"{base}?{query}")


def _far_and_found(name: str, base: str, listed: ChangeList) -> Iterator[Page]:
    yield Page(f"{name}, page 10,000", f"{base}?p=10000")
    columns = [c for c in listed.list_display if c in (listed.sortable_by or ()) and listed.get_ordering_field(c)]
    for column in columns:
        index = listed.list_display.index(column)
        yield Page(f"{name} by {column}", f"{base}?o={index}")
        yield Page(f"{name} by {column}, falling", f"{base}?o=-{index}")
    for kind, text in SEARCHED.items() if listed.search_fields else ():
        yield Page(f"{name}, search: {kind}", f"{base}?q={quote(text)}")


def search_in_menu() -> Iterator[Page]:
    for kind, text in SEARCHED.items():
        yield Page(f"menu, search: {kind}", f"{reverse('search')}?q={quote(text)}")


def details() -> Iterator[Page]:
    job, mapping = MirrorJob.objects.latest("pk"), ImageMapping.objects.latest("pk")
    old = MirrorJob.objects.earliest("pk")
    yield Page("job that runs", reverse("admin:mirrors_mirrorjob_change", args=[job.pk]))
    yield Page("job that ended", reverse("admin:mirrors_mirrorjob_change", args=[old.pk]))
    yield Page("mapping", reverse("admin:mirrors_imagemapping_change", args=[mapping.pk]))
    yield Page("mapping with many jobs", reverse("admin:mirrors_imagemapping_change", args=[1]))
    yield Page("job, live part", reverse("admin:mirrors_mirrorjob_live", args=[job.pk]))
    yield Page(
        "admission", reverse("admin:mirrors_admissionsample_change", args=[AdmissionSample.objects.latest("pk").pk])
    )
    yield Page("registry", reverse("admin:mirrors_registry_change", args=[1_000]))
    yield Page("registry, storage used", reverse("admin:mirrors_registry_storage", args=[mapping.target_registry_id]))
    yield Page("mapping, live part", reverse("admin:mirrors_imagemapping_live", args=[mapping.pk]))
    yield Page("filter", reverse("admin:mirrors_filter_change", args=[1_000]))
    yield Page("filter, try it", f"{reverse('admin:mirrors_filter_try')}?filter=1000")
    tried = urlencode({"jmespath": "obj.metadata.namespace == 'api-000'", "pod": json.dumps(POD)})
    yield Page("filter, results while typing", reverse("admin:mirrors_filter_answers"), tried)
    yield Page("filter, effect of saving", reverse("admin:mirrors_filter_impact"), tried)
    yield Page("explain, empty", reverse("explain"))
    yield Page("explain a pod", reverse("explain"), urlencode({"manifest": json.dumps(POD)}))
    yield Page("API explain", reverse("api-explain"), json.dumps({"manifest": POD}), "application/json")
    yield Page("API health", "/api/v1/health/")
    for path in ("", "attempts/", "progress/"):
        yield Page(f"API job {path}", f"/api/v1/jobs/{job.pk}/{path}")
    yield Page("API mapping", f"/api/v1/mappings/{mapping.pk}/")


def cluster_details() -> Iterator[Page]:
    run = BackfillRun.objects.latest("pk")
    yield Page("backfill that runs", reverse("admin:mirrors_backfillrun_change", args=[run.pk]))
    yield Page("backfill, live part", reverse("admin:mirrors_backfillrun_live", args=[run.pk]))
    yield Page("backfill that ended", reverse("admin:mirrors_backfillrun_change", args=[1]))
    for model in (RunningImage, ClusterNode, PullFailure, RestartLoop, TargetHealth):
        row = model._default_manager.latest("pk")
        yield Page(
            str(model._meta.verbose_name), reverse(f"admin:mirrors_{model._meta.model_name}_change", args=[row.pk])
        )
    yield Page("mapping with failing pulls", reverse("admin:mirrors_imagemapping_change", args=[1]))
    yield Page("readiness, what is mirrored", reverse("admin:mirrors_readinesssample_mirror"))
    yield Page("API readiness", reverse("readiness"))
    yield Page(f"API backfill {run.pk}", f"/api/v1/backfill/{run.pk}/")
