"""The pages that an operator and a script open, found from what the admin and the API have registered."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
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

from mirrors.admin.tools import links
from mirrors.models import AdmissionSample, ImageMapping, ImageUse, MirrorJob

SEARCHED = {"many": "library", "one": ".4711", "none": "no-such-image", "words": "nginx 17"}
LISTS_ONLY = ("mirrors", "accounts")
LARGE = ("imagemapping", "mirrorjob", "mirrorattempt", "mirrorrequest", "imageuse", "decisioncount", "admissionsample")
"""Of these all is measured; of the others the first page and the filters."""

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
}
"""What people write into filters, and combine, beside the choices that a list offers."""

POD = {
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "a", "image": "mirror.example.com/a"}]},
}


@dataclass(frozen=True, slots=True)
class Page:
    """What is measured: its name in the table, its address, and what is posted to it, if anything."""

    name: str
    url: str
    body: str = ""
    content_type: str = "application/x-www-form-urlencoded"


def pages(user: User) -> Iterator[Page]:
    yield from dashboard()
    for model, model_admin in admin.site._registry.items():
        opts = model._meta
        if opts.app_label in LISTS_ONLY and user.has_perm(f"{opts.app_label}.view_{opts.model_name}"):
            yield from lists(model, model_admin, user)
    yield from search_in_menu()
    yield from details()
    yield from api()


def dashboard() -> Iterator[Page]:
    for hours in (24, 168, 720):
        yield Page(f"dashboard, {hours} h", f"{reverse('admin:index')}?hours={hours}")
        yield Page(f"dashboard, live part, {hours} h", f"{reverse('dashboard-live')}?hours={hours}")
        yield Page(f"API stats, {hours} h", f"{reverse('stats')}?hours={hours}")
    month = timezone.now() - timedelta(days=30)
    yield Page("attempts of 30 days, summed", links.attempts(**links.from_on("finished_at", month)))
    yield Page("decisions of 30 days, summed", links.decisions(month, coverage="admitted"))


def lists(model: type[Model], model_admin: ModelAdmin[Any], user: User) -> Iterator[Page]:
    """First page, and each filter once; of large tables a page far in, each order both ways and searches too."""
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
        # The last is often the rarest.
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


def api() -> Iterator[Page]:
    """Each resource: first page, far in, searches, and filters with common, rare and absent values."""
    for resource in RESOURCES:
        base = f"/api/v1/{resource}/"
        yield Page(f"API {resource}, 200 a page", f"{base}?page_size=200")
        for kind, text in SEARCHED.items() if resource in ("mappings", "jobs", "uses", "admissions") else ():
            yield Page(f"API {resource}, search: {kind}", f"{base}?search={quote(text)}")
    for resource, model in (("mappings", ImageMapping), ("jobs", MirrorJob), ("uses", ImageUse)):
        middle = model.objects.latest("pk").pk // 2
        cursor = base64.b64encode(f"p={middle}".encode()).decode()
        yield Page(f"API {resource}, cursor far in", f"/api/v1/{resource}/?{urlencode({'cursor': cursor})}")
    for resource, queries in FILTERS.items():
        for query in queries:
            yield Page(f"API {resource}: {query}", f"/api/v1/{resource}/?{query}")


RESOURCES = ("mappings", "jobs", "uses", "filters", "registries", "repositories", "admissions", "actions", "instances")
FILTERS = {
    "mappings": (
        "existence=present",
        "existence=absent",
        "access=secrets",
        "obstacle=tampered",
        "paused=true",
        "state=failed",
        "state=unknown",
        "error_class=denied",
        "error_host=ghcr.io",
        "last_seen_before=2026-01-01T00:00:00Z",
    ),
    "jobs": (
        "status=failed",
        "status=running",
        "ordering=finished_at",
        "ordering=-finished_at",
        "ordering=created_at",
        "status=failed&error_class=bad-digest",
        "error_class=conflict",
        "namespace=api-000",
        "namespace=nobody",
        "priority=0",
        "trigger=verify",
        "mapping=1",
        "mapping=1&status=failed",
    ),
    "uses": (
        "namespace=api-000",
        "namespace=nobody",
        "workload_kind=Pod",
        "workload=nginx-nginx-17",
        "workload=nobody",
        "mapping=1",
    ),
    "admissions": ("namespace=api-000", "namespace=nobody"),
    "repositories": ("has_differences=true", "pulls_through=true"),
}
