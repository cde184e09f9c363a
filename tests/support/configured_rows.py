"""Run as ``python -m tests.support.configured_rows``: do the part of ``manage.py prepare`` that a migrated database
needs.

The database of a test is a copy of a migrated one, so only the rows of its configuration file are missing.
"""

from __future__ import annotations

import django


def write_rows() -> None:
    from django.conf import settings

    from mirrors.services.configuration.config_rows import sync_config
    from swapper_project.process import configured

    sync_config(config=configured.load(settings.ENVIRONMENT))


if __name__ == "__main__":
    django.setup()
    write_rows()
