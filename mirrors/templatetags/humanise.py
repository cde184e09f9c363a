"""Sizes and times as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

DONE: Final = {
    "apply settings": "Applied settings",
    "cancel": "Cancelled",
    "create": "Created",
    "declare-healthy": "Declared healthy",
    "delete": "Deleted",
    "forget": "Forgot",
    "mirror": "Requested a copy",
    "pause": "Paused",
    "preview": "Requested a preview",
    "priority": "Changed the priority",
    "release": "Released",
    "resume": "Resumed",
    "retry": "Retried",
    "start": "Started",
    "test": "Tested the connection",
    "update": "Changed",
    "verify": "Requested a verification",
}


@register.filter
def size(count: float | None) -> str:
    """Bytes as ``1.5 GiB``; a dash where that is not known."""
    if count is None:
        return "–"
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


@register.filter
def number(count: float | None) -> str:
    """A number with separators, as ``12,345``; a dash where it is not known."""
    return "–" if count is None else f"{count:,}"


@register.filter
def span(seconds: float) -> str:
    """Seconds as ``3 min``."""
    for limit, divisor, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


@register.filter
def when(at: datetime | None) -> SafeString | str:
    """``3 min ago``, with the exact time on hover; a script puts that into the viewer's zone, and keeps both right."""
    if at is None:
        return "–"
    seconds = (timezone.now() - at).total_seconds()
    relative = f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, relative)


@register.filter
def hour_from(start: datetime) -> SafeString:
    """The hour that begins at ``start`` as ``23:00–24:00``, with its date unless that is today; on hover with date and
    zone. A script puts both into the viewer's zone."""
    end = start + timedelta(hours=1)
    date = "" if start.date() == timezone.now().date() else f"{start.day} {start:%b}, "
    words = f"{date}{start:%H:%M}–{_end(end)}"
    exact = f"{start:%Y-%m-%d %H:%M}–{_end(end)} UTC"
    return format_html('<time datetime="{}" data-hour title="{}">{}</time>', start.isoformat(), exact, words)


def _end(at: datetime) -> str:
    """The end of a day belongs to it."""
    return "24:00" if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


@register.filter
def past(action: str) -> str:
    """Return the past tense of an action, as ``Paused``."""
    return DONE.get(action, action.capitalize())


@register.filter
def short_digest(digest: str) -> str:
    """``sha256:`` and the first twelve characters."""
    algorithm, _, rest = digest.partition(":")
    return f"{algorithm}:{rest[:12]}" if rest else digest
