"""Admin of failing pulls: images that nodes cannot pull, by image and cause, with advice."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.admin.tools.lists.columns import breakable, time_column
from mirrors.admin.tools.lists.list_rendering import label
from mirrors.admin.tools.row_fields import NOTHING
from mirrors.models import ImageMapping, PullFailure
from mirrors.selectors.clusters.clusters import qualified_namespace
from mirrors.selectors.clusters.pull_failures import pull_advice, restart_commands
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

STARTS = "A new pod would start from the mirror, which has the image:"


@admin.register(PullFailure)
class PullFailureAdmin(ReadOnlyAdmin[PullFailure]):
    list_display = ["shown_image", "shown_cause", "at", "pods", "nodes", "in_namespaces", "what_to_do", "since"]
    list_filter = ["cause", "at", "is_mirrored", ClusterListFilter]
    sortable_by = None  # few rows: those that fail now
    list_before_template = "admin/mirrors/stale_hint.html"
    empty_message = "Appear while pods cannot pull their image, if a watcher runs (manage.py watch)."
    search_fields = SEARCH_FIELDS[PullFailure]
    ordering = ["-pods", "-id"]
    fields = (
        "cluster",
        "image",
        "source",
        "mirrored_image",
        "at",
        "cause",
        "message",
        "what_to_do",
        "pods",
        "nodes",
        "in_namespaces",
        "some_pods",
        "asked",
        "since",
        "last_seen",
    )

    since = time_column("first_seen_at", "since")
    last_seen = time_column("last_seen_at")
    asked = time_column("asked_at", "last copied again")

    @admin.display(description="image", ordering="image")
    def shown_image(self, row: PullFailure) -> SafeString:
        return breakable(row.image)

    @display(description="cause", ordering="cause")
    def shown_cause(self, row: PullFailure) -> SafeString:
        return label(row.get_cause_display(), "warning" if row.would_start else "danger")

    @admin.display(description="namespaces")
    def in_namespaces(self, row: PullFailure) -> str:
        return ", ".join(qualified_namespace(row.cluster, namespace) for namespace in row.namespaces)

    @admin.display(description="what to do")
    def what_to_do(self, row: PullFailure) -> Any:
        if not row.pk:
            return "–"
        commands = restart_commands(row)
        if not commands:
            return pull_advice(row.cause, row.at)
        lines = format_html_join("", "<br><code data-copy>{}</code>", ((command,) for command in commands))
        return format_html("{}{}", STARTS, lines)

    @admin.display(description="mirrored image")
    def mirrored_image(self, row: PullFailure) -> Any:
        """Return a link to the page with the actions on this image."""
        mapping = ImageMapping.objects.filter(source=row.source).only("pk", "source").first() if row.source else None
        if mapping is None:
            return NOTHING
        link = reverse("admin:mirrors_imagemapping_change", args=[mapping.pk])
        return format_html('<a href="{}">Mirror, verify or pause {}</a>', link, mapping.source)

    @admin.display(description="some of the pods")
    def some_pods(self, row: PullFailure) -> Any:
        pods = ((f"{s['namespace']}/{s['pod']}", s["node"] or "no node") for s in row.samples)
        return format_html_join("", "{} on {}<br>", pods) or "–"
