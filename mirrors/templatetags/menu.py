"""Breadcrumbs with the names of the menu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.contrib import admin
from django.http import HttpRequest

register = template.Library()


@register.filter
def menu_names(parts: Sequence[dict[str, Any]], request: HttpRequest) -> list[dict[str, Any]]:
    """Return the parts of unfold's breadcrumbs, with the names of the menu for the application and the model. A custom
    page, whose only part is its title, gets the menu entry with the same URL, or with the longest prefix of its URL."""
    # Imported in the function, because template tags are loaded before the modules of the admin.
    from mirrors.admin.tools.navigation import menu_entry_for, menu_entry_of_request, nearest_menu_entry

    links = [str(part.get("link") or "") for part in parts]
    entries = [menu_entry_of_request(request) if link == request.path else menu_entry_for(link) for link in links]
    page_entry = next((entry for entry in entries if entry), None)
    if page_entry is None:
        return [*_above(nearest_menu_entry(request.path), request.path), *parts]
    named = [{**part, "title": entry[1]} if entry else part for part, entry in zip(parts, entries, strict=True)]
    return [{"title": page_entry[0]}, *map(_row_named, named[1:])]


def _above(entry: tuple[str, str, str] | None, path: str) -> list[dict[str, Any]]:
    """Return the parts before the title of a page: its section, and the menu entry unless the page is that of the
    entry."""
    if entry is None:
        return []
    section, name, url = entry
    return [{"title": section}, *([{"title": name, "link": url}] if url != path else [])]


def _row_named(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a row with the title that the admin of the row gives it."""
    row = part["title"]
    of_row: Any = admin.site._registry.get(type(row))
    return {**part, "title": of_row.row_title(row)} if hasattr(of_row, "row_title") else part
