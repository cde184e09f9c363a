"""Detail pages: the data of one row, its history, and actions on it."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page

from mirrors.admin.tools.base import ReadOnlyAdmin

M = TypeVar("M", bound=models.Model)

STOP_POLLING = 286
"""The HTTP status after which htmx stops polling."""


class DetailAdmin(ReadOnlyAdmin[M]):
    """A detail page instead of a form. ``detail_template`` gets the values of ``detail()``. ``live_template``, the part
    that refreshes itself, gets those of ``live()``."""

    detail_template: ClassVar[str]
    live_template: ClassVar[str] = ""

    def detail(self, request: HttpRequest, row: M) -> dict[str, Any]:
        return {}

    def live(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Return the values of the live part. The page stops refreshing it if ``is_finished`` is true."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self._row(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": self.list_title,
            "subtitle": self.row_title(row),
            "opts": self.opts,
            "row": row,
            "original": row,  # the last item of the breadcrumbs
            "may_operate": self.has_operate_permission(request),
            **self.detail(request, row),
            **self.live(request, row),
        }
        return TemplateResponse(request, self.detail_template, context)

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_live"
        own = [path("<int:key>/live/", self.admin_site.admin_view(self.live_view), name=name)]
        return [*(own if self.live_template else []), *super().get_urls()]

    @method_decorator(conditional_page)
    def live_view(self, request: HttpRequest, key: int) -> HttpResponse:
        row = self._row(request, str(key))
        found = self.live(request, row)
        status = STOP_POLLING if found["is_finished"] else 200
        context = {"row": row, "is_refreshed": True, "may_operate": self.has_operate_permission(request), **found}
        return render(request, self.live_template, context, status=status)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether this user can run actions on rows of this model."""
        user = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def _row(self, request: HttpRequest, key: str) -> M:
        row: M | None = self.get_object(request, key)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {key}; it may have been deleted.")
        return row
