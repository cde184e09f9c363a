"""Sizes and times as people read them."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def size(count: int) -> str:
    """Bytes as ``1.5 GiB``."""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


@register.filter
def span(seconds: float) -> str:
    """Seconds as ``3 min``."""
    for limit, divisor, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
