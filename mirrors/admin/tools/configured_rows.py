"""Pages of rows that operators or the configuration file define: registries and filters."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.db import IntegrityError, models
from django.http import HttpRequest

from mirrors.admin.tools.base import ModelForm, PlainAdmin
from mirrors.admin.tools.list_filters.clusters import clusters_column, clusters_of_request, names_clusters
from mirrors.models import ManagedBy
from mirrors.selectors.clusters.clusters import unknown_clusters_warning
from mirrors.selectors.configuration import declared

M = TypeVar("M", bound=models.Model)


class WholeForm(ModelForm[M]):
    """A form that validates the row as it will be stored, including constraints on fields that the form does not
    show."""

    def _get_validation_exclusions(self) -> set[str]:
        hidden: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return hidden - {"managed_by", "role", "kind", "prefix"}


class ConfiguredAdmin(PlainAdmin[M]):
    """Rows that operators edit, and rows of the configuration file, which are read-only."""

    form = WholeForm  # type: ignore[assignment]
    sortable_by = None  # few rows

    shown_cluster = clusters_column

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, with the cluster only if there are several clusters or if a row has an unknown one."""
        columns = super().get_list_display(request)
        is_shown = names_clusters(request, self._model)
        return columns if is_shown else [name for name in columns if name != "shown_cluster"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Show rows of the configuration file with the values of the active file, which the database may not have
        yet."""
        page: Any = super().get_changelist_instance(request)
        page.result_list = list(page.result_list)
        file_rows = declared.active_rows(self._model)
        declared.apply_declared_values(page.result_list, file_rows)
        for row in page.result_list:
            row.cluster_warning = self._cluster_warning(request, row)
        page.unwritten_rows = declared.unwritten_rows(self._model, file_rows)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> M | None:
        row: M | None = super().get_object(request, object_id, from_field)
        if row is not None:
            declared.apply_declared_values([row], declared.active_rows(self._model))
        return row

    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        """Save the row, with a warning if its cluster is unknown, because the cluster may be set up later."""
        super().save_model(request, obj, form, change)
        if warning := self._cluster_warning(request, obj):
            self.message_user(request, warning, messages.WARNING)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        warning = self._cluster_warning(request, row) if row is not None else ""
        return super().render_change_form(request, {**context, "cluster_warning": warning}, *args, **kwargs)

    def _cluster_warning(self, request: HttpRequest, row: Any) -> str:
        return unknown_clusters_warning(row, lambda: clusters_of_request(request))

    @property
    def _model(self) -> Any:
        return self.model

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return not _from_file(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return not _from_file(obj) and super().has_delete_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            # Another user saved a conflicting row between validation and write. Validating again reports the conflict.
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Remove the bulk deletion, because it would also delete rows of the configuration file."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}


def _from_file(obj: models.Model | None) -> bool:
    return obj is not None and getattr(obj, "managed_by", "") == ManagedBy.CONFIG
