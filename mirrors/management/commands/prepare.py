"""``manage.py prepare``: migrate the database, write the configuration's rows, and create the first user."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, CommandParser, call_command
from django.db import IntegrityError, connection, transaction

from mirrors.management.preparation import exclusive_lock
from mirrors.models.base.indexes import ensure_search
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import Config
from swapper_project.process import configured
from swapper_project.process.commands.base_command import ConfiguredCommand
from swapper_project.process.private_files import data_directory
from swapper_project.process.private_files.certificates import write_private


class Command(ConfiguredCommand):
    help = (
        "Migrate the database, write the rows of the configuration file, and create the first admin user. Safe to run "
        "again, and several times at once: one run works, the others wait for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-password-file",
            type=Path,
            help="File for the generated password of the user 'admin' (mode 0600), unless SWAPPER_ADMIN_PASSWORD or "
            "SWAPPER_ADMIN_PASSWORD_FILE sets one. Without any of these, no user is created.",
        )

    def handle(self, *, admin_password_file: Path | None, **options: Any) -> None:
        config = configured.load(settings.ENVIRONMENT)
        with exclusive_lock(connection):
            self._prepare(config, admin_password_file)
        if connection.vendor == "sqlite":
            # The database may be new, and SQLite creates files that are readable by all users.
            data_directory.protect(settings.ENVIRONMENT.data_dir, Path(connection.settings_dict["NAME"]))

    def _prepare(self, config: Config, admin_password_file: Path | None) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        # Repeat this after the migrations: the extension may have become available since one of them ran without it.
        ensure_search(connection)
        sync_config(config=config)
        if admin_password := settings.ENVIRONMENT.admin_password:
            self._create_first_user(lambda: _validated(admin_password))
        elif admin_password_file is not None:
            is_created = self._create_first_user(lambda: _read_or_create_password(admin_password_file))
            # Print the password only on a terminal, because logs are stored and read by others.
            if is_created and sys.stdout.isatty():
                self.stdout.write(
                    f"Created the user 'admin' with the password {_read_or_create_password(admin_password_file)}"
                )

    def _create_first_user(self, password: Callable[[], str]) -> bool:
        """Create the first user. Return whether it was created: of two concurrent processes, only one creates it."""
        users = get_user_model().objects
        if users.exists():
            return False
        try:
            with transaction.atomic():
                user = users.create_superuser("admin")
                # The name is now reserved in the database, so no other process writes the file.
                user.set_password(password())
                user.save(update_fields=["password"])
        except IntegrityError:
            return False
        return True


def _read_or_create_password(file: Path) -> str:
    """Return the password in a file; create the file with mode 0600 and a new password if it is missing or empty."""
    if file.exists() and (password := file.read_text().strip()):
        return password
    password = secrets.token_urlsafe(15)
    write_private(file, f"{password}\n".encode())
    return password


def _validated(password: str) -> str:
    try:
        validate_password(password)
    except ValidationError as error:
        raise CommandError(
            f"SWAPPER_ADMIN_PASSWORD is not accepted: {' '.join(error.messages)} Set another one, such as the output "
            "of: openssl rand -base64 18"
        ) from error
    return password
