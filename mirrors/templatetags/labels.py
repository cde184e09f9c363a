"""Template filters for labels of values, for pages that have a value without its row."""

from __future__ import annotations

from django import template

from mirrors.models import Access, Existence

register = template.Library()

ACCESS_LABELS = dict(Access.choices)
EXISTENCE_LABELS = dict(Existence.choices)


@register.filter
def access_label(access: str) -> str:
    """Return how the source of an image can be read, in the words of mappings."""
    return str(ACCESS_LABELS.get(access, access))


@register.filter
def existence_label(existence: str) -> str:
    """Return whether the target has an image, in the words of mappings."""
    return str(EXISTENCE_LABELS.get(existence, existence))
