"""``manage.py prepare``: bring the database up to date, write the configuration's rows, make the first user."""

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

from mirrors.management.preparation import only_one
from mirrors.models.base.indexes import ensure_search
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import Config
from swapper_project.process import configured
from swapper_project.process.commands.base_command import ConfiguredCommand
from swapper_project.process.private_files import data_directory
from swapper_project.process.private_files.certificates import write_private


class Command(ConfiguredCommand):
    help = (
        "Migrate the database, write the rows of the configuration file, and make the first admin user. "
        "Safe to run again, and from several places at once: one works, the others wait for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-password-file",
            type=Path,
            help="Where the generated password of the user 'admin' is kept (mode 0600), unless SWAPPER_ADMIN_PASSWORD "
            "or its _FILE form gives one. Without any of these no user is made.",
        )

    def handle(self, *, admin_password_file: Path | None, **options: Any) -> None:
        config = configured.load(settings.ENVIRONMENT)
        with only_one(connection):
            self._prepare(config, admin_password_file)
        if connection.vendor == "sqlite":
            # The database may be new, and SQLite makes files that everybody reads.
            data_directory.protect(settings.ENVIRONMENT.data_dir, Path(connection.settings_dict["NAME"]))

    def _prepare(self, config: Config, admin_password_file: Path | None) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        # Again: the extension may be available now, although a migration ran without it.
        ensure_search(connection)
        sync_config(config=config)
        if given := settings.ENVIRONMENT.admin_password:
            self._first_user(lambda: _checked(given))
        elif admin_password_file is not None:
            is_made = self._first_user(lambda: _kept(admin_password_file))
            # Nowhere but where somebody sits: logs are kept, and read by others.
            if is_made and sys.stdout.isatty():
                self.stdout.write(f"Made the user 'admin' with the password {_kept(admin_password_file)}")

    def _first_user(self, password: Callable[[], str]) -> bool:
        """Whether it was made; of two that start at once one makes it."""
        users = get_user_model().objects
        if users.exists():
            return False
        try:
            with transaction.atomic():
                user = users.create_superuser("admin")
                # With the name taken, the file is this process's alone.
                user.set_password(password())
                user.save(update_fields=["password"])
        except IntegrityError:
            return False
        return True


def _kept(file: Path) -> str:
    """The password of a file of mode 0600, made with a new one where it is missing."""
    if file.exists() and (password := file.read_text().strip()):
        return password
    password = secrets.token_urlsafe(15)
    write_private(file, f"{password}\n".encode())
    return password


def _checked(password: str) -> str:
    try:
        validate_password(password)
    except ValidationError as error:
        raise CommandError(
            f"SWAPPER_ADMIN_PASSWORD can't be taken: {' '.join(error.messages)} Give another one, such as: "
            "openssl rand -base64 18"
        ) from error
    return password
