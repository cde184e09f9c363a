"""The Django application of accounts. It writes the roles after each migration, and records changes in the audit
log."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


class AccountsConfig(AppConfig):
    name = "mirrors.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mirrors.accounts import audit
        from mirrors.accounts.roles import write_groups

        _check_backends()
        # Breadcrumbs of third-party lists show the section of the menu, not the name of the package.
        for label in ("axes", "auditlog"):
            apps.get_app_config(label).verbose_name = "Access"
        audit.register_models()
        # This application is the last one, so the permissions of all others exist by then.
        post_migrate.connect(write_groups, sender=self)


def _check_backends() -> None:
    """Report a mistyped backend at startup, not when the first user cannot sign in."""
    for path in settings.ENVIRONMENT.authentication_backends:
        try:
            backend = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(
                f"SWAPPER_AUTHENTICATION_BACKENDS: {path} can't be loaded ({error}). Install its package in the same "
                "environment, or correct the name."
            ) from error
        if not hasattr(backend, "authenticate") or not hasattr(backend, "get_user"):
            raise ImproperlyConfigured(
                f"SWAPPER_AUTHENTICATION_BACKENDS: {path} is not a Django authentication backend: it needs "
                "authenticate() and get_user()."
            )
