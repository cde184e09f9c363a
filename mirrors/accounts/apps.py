"""Django application of accounts: its roles are written with each migration."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "mirrors.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mirrors.accounts.roles import write_groups

        # After the last application, whose permissions are there by then.
        post_migrate.connect(write_groups, sender=self)
