"""The audit log: django-auditlog's record of who changed the configuration or access, whether in the admin, by API, by
a command or in the configuration file.

It contains no secrets: a password change is recorded without hashes, a token by its name.
"""

from __future__ import annotations

from typing import Any

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib.auth.models import Group, User
from django.db.models.signals import pre_save

from mirrors.accounts.models import ApiToken
from mirrors.models import Filter, ManagedBy, Registry
from swapper_project.process.current_request import current_request


def register_models() -> None:
    """Register the models whose changes are recorded. Called once per process, but not in webhooks and watchers, which
    have no accounts."""
    times = ["created_at", "updated_at"]
    auditlog.register(Registry, exclude_fields=[*times, "checks", "mappings", "repositories"])
    auditlog.register(Filter, exclude_fields=times)
    auditlog.register(
        User,
        exclude_fields=["last_login", "date_joined", "logentry", "auth_token_set"],
        mask_fields=["password"],
        mask_callable="mirrors.accounts.audit.hidden",
        m2m_fields={"groups", "user_permissions"},
    )
    auditlog.register(Group, m2m_fields={"permissions"})
    auditlog.register(ApiToken, include_fields=["name", "role", "user", "expiry"])
    pre_save.connect(_add_author, sender=LogEntry, dispatch_uid="mirrors.accounts.audit")


def _is_from_file(instance: LogEntry) -> bool:
    """Return whether the changed row is one of the configuration file."""
    if change := (instance.changes or {}).get("managed_by"):
        return ManagedBy.CONFIG in change
    rows = {model._meta.model_name: model.objects.all() for model in (Registry, Filter)}.get(
        instance.content_type.model
    )
    return rows is not None and rows.filter(pk=instance.object_pk, managed_by=ManagedBy.CONFIG).exists()


def hidden(value: str) -> str:
    return "(hidden)"


def _add_author(sender: Any, instance: LogEntry, **kwargs: Any) -> None:
    """Add the author of a change. The entry of a token gets its public ID, because the key of a token in the database
    is a digest of the token itself."""
    if instance.content_type.model_class() is ApiToken:
        instance.object_pk = ApiToken(digest=instance.object_pk).public_id
    if not instance._state.adding:
        return
    request = current_request()
    if request is None:
        instance.additional_data = {"by": "configuration file" if _is_from_file(instance) else "command line"}
        return
    instance.remote_addr = request.META.get("REMOTE_ADDR") or None
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        instance.actor_id = user.pk
        instance.actor_email = user.email
        # The name remains when the user is deleted.
        instance.additional_data = {"user": user.get_username()}
        if isinstance(token := getattr(request, "auth", None), ApiToken):
            instance.additional_data["token"] = token.name
