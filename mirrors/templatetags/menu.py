"""Breadcrumbs with the names of the menu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

register = template.Library()


@register.filter
def menu_names(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts of unfold's breadcrumbs: the application and the model get the names of the menu."""
    # Imported here: templates are loaded before the admin's modules.
    from mirrors.admin.navigation import place_of

    places = [place_of(str(part.get("link") or "")) for part in parts]
    found = next((place for place in places if place), None)
    if found is None:
        return list(parts)
    named = [{**part, "title": place[1]} if place else part for part, place in zip(parts, places, strict=True)]
    return [{"title": found[0]}, *named[1:]]
