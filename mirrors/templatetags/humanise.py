"""Template filters that write sizes, numbers, times and actions in words."""

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
    """Return bytes as ``1.5 GiB``; a dash if the size is unknown."""
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
    """Return a number with separators, as ``12,345``; a dash if it is unknown."""
    return "–" if count is None else f"{count:,}"


@register.filter
def span(seconds: float) -> str:
    """Return seconds as ``3 min``."""
    for limit, divisor, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


@register.filter
def when(at: datetime | None) -> SafeString | str:
    """Return a time as ``3 min ago``, with the exact time on hover. A script converts the exact time to the viewer's
    zone, and updates the relative one."""
    if at is None:
        return "–"
    seconds = (timezone.now() - at).total_seconds()
    relative = f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, relative)


@register.filter
def hour_from(start: datetime) -> SafeString:
    """Return the hour that starts at ``start`` as ``23:00–24:00``, with its date unless that is today; on hover with
    date and zone. A script converts both to the viewer's zone."""
    end = start + timedelta(hours=1)
    date = "" if start.date() == timezone.now().date() else f"{start.day} {start:%b}, "
    text = f"{date}{start:%H:%M}–{_end(end)}"
    exact = f"{start:%Y-%m-%d %H:%M}–{_end(end)} UTC"
    return format_html('<time datetime="{}" data-hour title="{}">{}</time>', start.isoformat(), exact, text)


def _end(at: datetime) -> str:
    """Return the end of an hour. Midnight is ``24:00``, because it ends the day of the hour."""
    return "24:00" if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


@register.filter
def past(action: str) -> str:
    """Return the past tense of an action, as ``Paused``."""
    return DONE.get(action, action.capitalize())


@register.filter
def short_digest(digest: str) -> str:
    """Return ``sha256:`` and the first twelve characters of a digest."""
    algorithm, _, rest = digest.partition(":")
    return f"{algorithm}:{rest[:12]}" if rest else digest
