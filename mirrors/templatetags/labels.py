"""Labels of values that pages have without their row."""

from __future__ import annotations

from django import template

from mirrors.models import Access, Existence

register = template.Library()

ACCESS_LABELS = dict(Access.choices)
EXISTENCE_LABELS = dict(Existence.choices)


@register.filter
def access_label(access: str) -> str:
    """How the source of an image can be read, as mappings show it."""
    return str(ACCESS_LABELS.get(access, access))


@register.filter
def existence_label(existence: str) -> str:
    """Whether the target has an image, as mappings show it."""
    return str(EXISTENCE_LABELS.get(existence, existence))
