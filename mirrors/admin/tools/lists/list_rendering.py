"""Rendering of rows in unfold's design. Parts that are equal in all rows are computed once per page or process.

unfold's own tag computes the headers again for each row, and renders the checkbox and label of each row with a
template. That takes half of the time for a page of fifty rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from django.contrib.admin import helpers
from django.contrib.admin.views.main import ChangeList
from django.db.models import ForeignKey, Model
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from unfold.admin import checkbox
from unfold.templatetags import unfold_list
from unfold.utils import display_for_field, display_for_label, display_for_value

from mirrors.admin.tools.row_fields import is_count
from mirrors.templatetags.humanise import number

LINK: Final = " ".join(unfold_list.LINK_CLASSES)
TITLE_CASE: Final = "before:capitalize"
"""The CSS class with which unfold capitalizes every word of a cell's label. It is removed, because labels are in
sentence case."""

CELL: Final = " ".join(name for name in unfold_list.ROW_CLASSES if name != TITLE_CASE)
BOX: Final = " ".join(name for name in unfold_list.CHECKBOX_CLASSES if name != TITLE_CASE)


def headers(listed: ChangeList) -> list[dict[str, Any]]:
    """Return unfold's headers of the columns."""
    return list(unfold_list.result_headers(listed))  # type: ignore[no-untyped-call]


CellRenderer = Callable[[Any], Any]


def columns(listed: ChangeList, headers: Sequence[dict[str, Any]]) -> list[CellRenderer]:
    """Return a function for each column that renders the cell of a row. The first column links to the page of the
    row."""
    linked = next((name for name in listed.list_display if name != "action_checkbox"), None)
    renderers = []
    for name, header in zip(listed.list_display, headers, strict=True):
        render = _value(listed, name)
        if name == "action_checkbox":
            renderers.append(_cell("td", BOX, "Select row", render))
        elif name == linked and listed.list_display_links is not None:
            renderers.append(_cell("th", f"field-{name} {CELL}", header["text"], _with_link(listed, render)))
        else:
            renderers.append(_cell("td", f"field-{name} {CELL}", header["text"], render))
    return renderers


def _cell(tag: str, classes: str, title: Any, render: CellRenderer) -> CellRenderer:
    before = format_html('<{} class="{}" data-label="{}">', tag, classes, capfirst(str(title)))
    after = f"</{tag}>"
    return lambda row: SafeString(before + conditional_escape(render(row)) + after)


def _with_link(listed: ChangeList, render: CellRenderer) -> CellRenderer:
    """Return a renderer that links the cell to the page of its row, from which users return to the filtered list."""
    query = f"?{listed.preserved_filters}" if listed.preserved_filters else ""

    def link(row: Model) -> SafeString:
        return format_html('<a href="{}{}" class="{}">{}</a>', listed.url_for_result(row), query, LINK, render(row))

    return link


def _value(listed: ChangeList, name: Any) -> CellRenderer:
    """Return a renderer that shows the value of a field, or of a method of the admin, in words."""
    nothing = listed.model_admin.get_empty_value_display()
    if method := getattr(listed.model_admin, name, None):
        coloured, is_boolean = getattr(method, "label", None), getattr(method, "boolean", False)
        if coloured:
            return lambda row: display_for_label(method(row), nothing, coloured)
        return lambda row: display_for_value(method(row), nothing, is_boolean)
    field: Any = listed.opts.get_field(name)
    if is_count(field):
        return lambda row: number(getattr(row, name))
    if isinstance(field, ForeignKey):
        return lambda row: nothing if (other := getattr(row, name)) is None else other
    return lambda row: display_for_field(getattr(row, name), field, nothing)


@lru_cache(maxsize=1)
def _checkbox_parts() -> tuple[SafeString, SafeString]:
    before, _, after = checkbox.render(helpers.ACTION_CHECKBOX_NAME, "0-0").partition("0-0")
    return mark_safe(before), mark_safe(after)  # noqa: S308


def select_all_checkbox() -> SafeString:
    return mark_safe(checkbox.render("action_toggle_all", 1))  # noqa: S308


def row_checkbox(key: object) -> SafeString:
    """Return unfold's checkbox that selects a row."""
    before, after = _checkbox_parts()
    return format_html("{}{}{}", before, key, after)


@lru_cache(maxsize=500)
def label(text: str, colour: str = "") -> SafeString:
    """Return unfold's coloured label. Labels are cached, because there are few different ones."""
    return SafeString(display_for_label(text, "–", {text: colour} if colour else True))


def state_text(state: str) -> str:
    """Return a state as pages show it: ``immutable-conflict`` as "Immutable conflict"."""
    return state.replace("-", " ").capitalize()


def state_label(state: str, colour: str = "") -> SafeString:
    return label(state_text(state), colour)


def labels(texts: Iterable[str]) -> SafeString:
    return mark_safe("".join(label(text) for text in texts))  # noqa: S308
