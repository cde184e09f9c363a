"""``manage.py prepare``: bring the database up to date, write the configuration's rows, make the first user."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandParser, call_command
from django.db import connection

from mirrors.indexes import ensure_search
from mirrors.services.config_rows import sync_config
from swapper_project import configured
from swapper_project.certificates import write_private


class Command(BaseCommand):
    help = (
        "Migrate the database, write the rows of the configuration file, and make the first admin user. "
        "Harmless to run again, and from several places at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-password-file",
            type=Path,
            help="Where the generated password of the user 'admin' is kept (mode 0600). No user is made without it.",
        )

    def handle(self, *, admin_password_file: Path | None, **options: Any) -> None:
        config = configured.load(settings.ENVIRONMENT)
        call_command("migrate", interactive=False, verbosity=0)
        # Once more: the extension that a migration went on without may be there by now.
        ensure_search(connection)
        sync_config(config=config)
        if admin_password_file is not None:
            self._first_user(admin_password_file)

    def _first_user(self, password_file: Path) -> None:
        users = get_user_model().objects
        if users.exists():
            return
        password = password_file.read_text().strip() if password_file.exists() else secrets.token_urlsafe(15)
        write_private(password_file, f"{password}\n".encode())
        users.create_superuser("admin", password=password)
        if sys.stdout.isatty():
            self.stdout.write(f"Made the user 'admin' with the password {password}")
