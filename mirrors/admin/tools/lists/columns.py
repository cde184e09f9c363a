"""Columns that several lists share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from mirrors.admin.tools.lists.list_rendering import label
from mirrors.admin.tools.row_fields import NOTHING
from mirrors.models import ImageMapping, MirrorAttempt, MirrorJob
from mirrors.selectors.images.mapping_states import WITH_REASON
from mirrors.templatetags.humanise import when

STATUS_COLOURS = {
    "pending": "info",
    "running": "primary",
    "succeeded": "success",
    "passed": "success",
    "failed": "danger",
    "cancelled": "warning",
}
STATE_COLOURS = {
    "mirrored": "success",
    "copying": "primary",
    "queued": "info",
    "failed": "danger",
    "paused": "warning",
    "absent": "warning",
    "tampered": "danger",
    "immutable-conflict": "danger",
}


def time_column(field: str, title: str = "") -> Callable[[Any, models.Model], Any]:
    """Return a column with a relative time, and the exact time on hover."""

    @admin.display(description=title or field.removesuffix("_at").replace("_", " "), ordering=field)
    def shown(self: Any, row: models.Model) -> Any:
        return when(getattr(row, field))

    return shown


def boolean_column(field: str, title: str = "") -> Callable[[Any, models.Model], SafeString]:
    """Return a column that is green if the field is true, for fields that are normally true."""

    @admin.display(description=title or field.removeprefix("is_").replace("_", " "), ordering=field)
    def shown(self: Any, row: models.Model) -> SafeString:
        return label("yes", "success") if getattr(row, field) else label("no")

    return shown


@admin.display(description="error type", ordering="error_class")
def error_type_column(self: Any, row: MirrorJob | MirrorAttempt) -> str:
    return row.get_error_class_display() if row.error_class else NOTHING


def breakable(reference: str) -> SafeString:
    """Return an image reference that wraps after its slashes in a narrow column."""
    return mark_safe(escape(reference).replace("/", "/<wbr>"))  # noqa: S308


MOST_SHOWN = 80
"""The maximum number of characters of a reference in a narrow column, about six lines."""


def shortened(reference: str) -> SafeString:
    """Return an image reference, without its middle if it is long, because the tag is at its end. It is shown in full
    on hover."""
    if len(reference) <= MOST_SHOWN:
        return breakable(reference)
    shown = f"{reference[: MOST_SHOWN // 3]}…{reference[-(2 * MOST_SHOWN // 3) :]}"
    return format_html('<span title="{}">{}</span>', reference, breakable(shown))


@display(description="status", ordering="status")
def status(self: Any, row: Any) -> SafeString:
    """Return the status as a coloured label."""
    return label(row.get_status_display(), STATUS_COLOURS.get(row.status, ""))


def reason_of(mapping: ImageMapping) -> str:
    """Return why an image is not mirrored, or why its last copy failed. The filter by reason finds the same rows."""
    if mapping.obstacle:
        return mapping.get_obstacle_display()
    job = mapping.last_job
    return job.get_error_class_display() if job and job.status in WITH_REASON and job.error_class else ""
