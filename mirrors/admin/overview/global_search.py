"""The search in the menu. It finds images, jobs, namespaces, workloads, and pages of the menu."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from mirrors.admin.tools.navigation import sections
from mirrors.selectors.clusters.clusters import qualified_namespace
from mirrors.selectors.overview.global_search import FoundWorkload, SearchResults, find_everywhere
from mirrors.selectors.queries.search import search_words

LONGEST_SEARCH: Final = 400
"""The maximum number of characters of a search: half of the longest reference."""


def search_view(request: HttpRequest) -> HttpResponse:
    """Return the panel below the search field; empty for an empty search."""
    if not request.user.has_perm("mirrors.view_imagemapping"):
        raise PermissionDenied
    text = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    if not (words := search_words(text)):
        return HttpResponse()
    groups = [*_pages(request, words), *_rows(find_everywhere(words))]
    return render(request, "admin/search_results.html", {"groups": groups, "text": text})


guarded_search_view = admin.site.admin_view(search_view)


def _pages(request: HttpRequest, words: list[str]) -> list[dict[str, Any]]:
    """Return the pages whose name in the menu has all words."""
    items = [item for section in sections(request) for item in section["items"]]
    matching = [item for item in items if all(word.lower() in item["title"].lower() for word in words)]
    return _group("Pages", [(item["title"], "", item["link"]) for item in matching])


def _rows(results: SearchResults) -> list[dict[str, Any]]:
    return [
        *_group("Images", [(row.source, "", _page("imagemapping", row.pk)) for row in results.images]),
        *_group(
            "Jobs",
            [
                (f"Job {job.pk}: {job.mapping.source}", job.get_status_display(), _page("mirrorjob", job.pk))
                for job in results.jobs
            ],
        ),
        *_group("Namespaces", [(name, "", _list("imagemapping", namespace=name)) for name in results.namespaces]),
        *_group("Workloads", [_workload(row) for row in results.workloads]),
    ]


def _workload(row: FoundWorkload) -> tuple[str, str, str]:
    namespace = qualified_namespace(row.cluster, row.namespace)
    rows = "imageuse" if row.is_admitted else "runningimage"
    # Quotes make a name with spaces one search term.
    return f"{row.kind} {row.name}".strip(), f"in {namespace}", _list(rows, q=f'"{namespace}" "{row.name}"')


def _group(title: str, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    items = [{"title": name, "note": note, "link": link} for name, note, link in rows]
    return [{"title": title, "rows": items}] if items else []


def _page(model: str, key: int) -> str:
    return reverse(f"admin:mirrors_{model}_change", args=[key])


def _list(model: str, **query: str) -> str:
    return f"{reverse(f'admin:mirrors_{model}_changelist')}?{urlencode(query)}"
