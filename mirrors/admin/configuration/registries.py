"""Admin of registries: connection settings, connection tests, rate limits and last errors."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from mirrors import services
from mirrors.admin.tools import links
from mirrors.admin.tools.configured_rows import ConfiguredAdmin, WholeForm
from mirrors.admin.tools.detail import STOP_POLLING
from mirrors.admin.tools.lists.columns import STATUS_COLOURS, boolean_column
from mirrors.admin.tools.lists.list_rendering import label
from mirrors.models import CheckStatus, HostBudget, MirrorJob, Registry, RegistryCheck, RegistryKind, RegistryRole
from mirrors.models.configuration.registries import CREDENTIALS, CREDENTIALS_CLEARED
from mirrors.oci import EngineSettings
from mirrors.selectors.configuration.storage import storage_used
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

ERRORS = 10
"""The maximum number of errors on the page of a registry. The list of jobs has all."""

ERRORS_WITHIN = timedelta(days=7)
"""The highest age of errors on the page of a wildcard registry. Older ones say little about its current state."""

LIMITS = 20
"""The maximum number of rate limits on the page of a registry, because a wildcard can cover many hosts."""

TARGET_FIELDS = ("endpoint", "prefix", "kind", "username", "credential_ref", "insecure", "ca_file", "enabled")
NO_WORKER_AFTER = timedelta(seconds=30)
"""The time after which a queued test suggests that no worker is running. Workers check for tests every few seconds."""


class NamespacesField(forms.CharField):
    """A field with the names of namespaces in one line."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [name for name in re.split(r"[\s,]+", value or "") if name]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or ()) != self.to_python(data))


class RegistryForm(WholeForm[Registry]):
    namespaces = NamespacesField(
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Namespaces that may use private images read with these credentials, such as: shop, billing. Use * "
        "for all. If empty, the credentials are used for public images only.",
    )


@admin.register(Registry)
class RegistryAdmin(ConfiguredAdmin[Registry]):
    form = RegistryForm
    list_display = [
        "endpoint",
        "shown_cluster",
        "name",
        "prefix",
        "role",
        "kind",
        "last_test",
        "is_enabled",
        "managed_by",
    ]
    empty_message = "Set a target in the configuration file and run manage.py prepare. You can also add sources here."
    list_filter = ["role", "kind", "managed_by", "enabled"]
    search_fields = SEARCH_FIELDS[Registry]
    ordering = ["role", "endpoint"]
    fields = [
        "name",
        "endpoint",
        "username",
        "credential_ref",
        "namespaces",
        "insecure",
        "ca_file",
        "enabled",
        "cluster",
    ]
    change_form_template = "admin/mirrors/registry.html"
    list_after_template = "admin/mirrors/without_row.html"

    is_enabled = boolean_column("enabled")

    def get_fields(self, request: HttpRequest, obj: Registry | None = None) -> Any:
        is_target = obj is not None and obj.role == RegistryRole.TARGET
        if is_target:
            return TARGET_FIELDS
        fields = super().get_fields(request, obj)
        # A read-only page shows the namespaces above its fields, with links.
        is_read_only = obj is not None and not self.has_change_permission(request, obj)
        return [name for name in fields if name != "namespaces"] if is_read_only else fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Registry]:
        return super().get_queryset(request).annotate(newest_test=RegistryCheck.newest_status())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Allow the deletion of a registry together with its connection tests, though no user can delete a test
        separately."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, needed - {str(RegistryCheck._meta.verbose_name)}, protected

    @display(description="last test")
    def last_test(self, row: Registry) -> SafeString:
        status = getattr(row, "newest_test", None)
        return label(CheckStatus(status).label, STATUS_COLOURS.get(status, "")) if status else label("Not tested")

    def save_model(self, request: HttpRequest, obj: Registry, form: ModelForm[Registry], change: bool) -> None:
        """Save the row as a source, because the target is set in the configuration file."""
        obj.role, obj.kind = RegistryRole.SOURCE, RegistryKind.OCI
        # A form sends all fields. Only a changed one shows that the user entered credentials for the new host.
        entered = CREDENTIALS if set(CREDENTIALS) & set(form.changed_data) else ()
        if obj.clear_credentials_of_former_host(provided=entered):
            messages.warning(request, CREDENTIALS_CLEARED)
        super().save_model(request, obj, form, change)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        registry = self.get_object(request, object_id)
        context = _page_context(registry, self.may_test(request)) if registry is not None else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        registry_urls = [
            path("<int:key>/test/", guard(require_POST(self.test_view)), name="mirrors_registry_test"),
            path("<int:key>/storage/", guard(self.storage_view), name="mirrors_registry_storage"),
            path("<int:key>/test/live/", guard(self.live_view), name="mirrors_registry_test_live"),
        ]
        return [*registry_urls, *super().get_urls()]

    def may_test(self, request: HttpRequest) -> bool:
        """Return whether this user can test a registry, which needs the permission to change jobs."""
        return bool(request.user.has_perm("mirrors.change_mirrorjob"))

    def test_view(self, request: HttpRequest, key: int) -> HttpResponse:
        if not self.may_test(request):
            raise PermissionDenied
        registry = get_object_or_404(Registry, pk=key)
        services.request_check(registry=registry, requested_by=request.user.get_username())
        return HttpResponseRedirect(reverse("admin:mirrors_registry_change", args=[key]) + "#swapper-test")

    def storage_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Return a part of the page that is loaded after the page, because it reads all mappings."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        used = storage_used(get_object_or_404(Registry, pk=key))
        context = {"used": used, "unsized": used.images - used.sized}
        return render(request, "admin/mirrors/registry_storage.html", context)

    def live_view(self, request: HttpRequest, key: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = _test_of(get_object_or_404(Registry, pk=key))
        status = 200 if context["is_live"] else STOP_POLLING
        return render(request, "admin/mirrors/registry_test.html", context, status=status)


def _page_context(registry: Registry, may_test: bool) -> dict[str, Any]:
    settings = EngineSettings()
    errors = _failed_at(registry).select_related("mapping").order_by("-id")
    if registry.endpoint.startswith("*."):
        # There is no index on suffixes, so only jobs of the last days are searched.
        errors = errors.filter(finished_at__gt=timezone.now() - ERRORS_WITHIN).order_by("-finished_at")
    return {
        "registry": registry,
        "may_test": may_test,
        "budgets": HostBudget.objects.filter(**registry.lookup_of("host")).order_by("host", "operation")[:LIMITS],
        "requests_per_host": settings.requests_per_host,
        "images_link": links.images_of(registry),
        "failed_link": links.failed_at(registry),
        "errors_there": errors[:ERRORS],
        **_test_of(registry),
    }


def _failed_at(registry: Registry) -> QuerySet[MirrorJob]:
    """Return the jobs with an error of this registry, under any of its names."""
    if registry.endpoint.startswith("*."):
        return MirrorJob.objects.filter(**registry.lookup_of("error_host"))
    return MirrorJob.objects.failed_at(*registry.names)


def _test_of(registry: Registry) -> dict[str, Any]:
    test = RegistryCheck.objects.filter(registry=registry).order_by("-id").first()
    is_live = test is not None and test.status in RegistryCheck.LIVE
    no_worker = test is not None and test.status == "pending" and timezone.now() - test.created_at > NO_WORKER_AFTER
    return {"registry": registry, "test": test, "is_live": is_live, "no_worker": no_worker}
