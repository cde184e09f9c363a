"""The whole project, set up once for many commands, so that they do not wait for Django to start.

A command that is forked from it reads the settings again, from its own environment. So its environment can differ only
in variables that have no effect while the project is set up, such as those of the database, the configuration and the
data.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

KIND: Final = "project"
"""The name of the warm server that has the project set up."""

PRODUCT: Final = {"DJANGO_SETTINGS_MODULE": "swapper_project.settings"}
"""Processes run with the settings of the product, not with those of the tests."""

COMMANDS: Final = frozenset({"explain", "mirror", "prepare", "readiness", "shell"})
"""Commands that exit after their work and have no role. The other commands are long-running processes of the system."""

PROGRAMS: Final = frozenset({"tests.support.configured_rows"})
"""Modules of the tests that are run in the same way."""

WITHOUT_EFFECT: Final = frozenset(
    f"SWAPPER_{name}"
    for name in (
        "ADMIN_PASSWORD",
        "BIND",
        "CONFIG",
        "CREDENTIALS_DIR",
        "DATABASE_URL",
        "DATA_DIR",
        "SECRET_KEY",
        "SWAP",
        "SWAP_FILE",
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
        "WEBHOOK_TIMEOUT_SECONDS",
        "WEBHOOK_TOKEN",
    )
)
"""Variables that affect only ENVIRONMENT, DATABASES and SECRET_KEY, which are read when they are used."""

OF_OTHERS: Final = ("SWAPPER_CRED_", "SWAPPER_TEST_")
"""Prefixes of names that the settings do not read."""

ENTRIES: Final = (
    "mirrors.management.commands.mirror",
    "mirrors.management.commands.prepare",
    "mirrors.management.commands.readiness",
    "swapper_project.urls",
    "webhook.management.commands.explain",
)
"""Modules that commands import after Django is set up. The URLs import all views."""

_given_by_libraries: dict[str, Any] = {}
"""Settings with defaults that libraries set while they are imported."""


def can_start(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether ``python ARGUMENTS`` can be forked from the project as it was set up for the tests."""
    program, name, *_ = [*arguments, ""]
    is_known = name in (PROGRAMS if program == "-m" else COMMANDS)
    # manage.py handles these flags before settings are read. A request for help does not read the settings.
    has_early_flags = any(word.startswith(("--config", "--data-dir", "-h", "--help")) for word in arguments)
    is_plain = all(
        variable in WITHOUT_EFFECT or variable.startswith(OF_OTHERS) or not text
        for variable, text in environment.items()
        if variable.startswith("SWAPPER_")
    )
    is_product = PRODUCT.items() <= environment.items() and "PROMETHEUS_MULTIPROC_DIR" not in environment
    return is_known and not has_early_flags and is_plain and is_product


def set_up() -> None:
    """Import and set up everything, without opening a connection or starting a thread."""
    import django
    from django.conf import settings
    from django.db.migrations.loader import MigrationLoader

    lazy: Any = settings
    lazy.INSTALLED_APPS  # noqa: B018 - the first use of a setting reads all of them
    read = set(vars(lazy._wrapped))
    django.setup()
    for name in ENTRIES:
        importlib.import_module(name)
    MigrationLoader(None)
    given = vars(lazy._wrapped)
    _given_by_libraries.update({name: given[name] for name in given.keys() - read})
    assert threading.active_count() == 1, threading.enumerate()


def read_settings_again() -> None:
    """Load settings from the environment of the command's process, and drop connections of the server process."""
    from django.conf import Settings, settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections
    from django.utils.connection import BaseConnectionHandler
    from django.utils.functional import empty

    lazy: Any = settings
    lazy._wrapped = empty
    sys.modules.pop(PRODUCT["DJANGO_SETTINGS_MODULE"], None)
    vars(connections).clear()
    BaseConnectionHandler.__init__(connections)
    with suppress(ImproperlyConfigured):  # The command reads them too, and reports the error.
        own = Settings(PRODUCT["DJANGO_SETTINGS_MODULE"])
        vars(own).update(_given_by_libraries)
        lazy._wrapped = own
