"""Titles of lists and of the pages of rows: the names of the menu, and the names of rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from mirrors.admin.tools.navigation import menu_entry_for, menu_entry_of_request


class MenuTitles:
    """Mixin of a ModelAdmin whose titles use the names of the menu, like the breadcrumbs."""

    opts: Any
    row_names: ClassVar[tuple[str, str] | None] = None
    """The names of one row and of several, if they differ from the verbose names of the model."""

    @property
    def list_title(self) -> str:
        """The title of the list in the menu, or the name of the model if the menu does not have the list."""
        return self._menu_title or str(self.opts.verbose_name_plural)

    @property
    def _menu_title(self) -> str:
        """The title of the list in the menu; empty if the menu does not have the list."""
        entry = menu_entry_for(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        return entry[1] if entry else ""

    def row_title(self, row: models.Model) -> str:
        """Return the name of a row in the title and the breadcrumbs of its page."""
        return str(row)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        entry = menu_entry_of_request(request)
        menu_title = {"title": entry[1]} if entry else {}
        response: HttpResponse = super().changelist_view(request, {**menu_title, **(extra_context or {})})  # type: ignore[misc]
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if (row := context.get("original")) is not None:
            title = self._menu_title or context.get("title")
            context = {**context, "subtitle": self.row_title(row), "title": title}
        if not request.user.has_perm("auditlog.view_logentry"):
            # The link leads to the change history, which this user cannot see.
            context = {**context, "show_history": False}
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
