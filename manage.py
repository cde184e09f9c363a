#!/usr/bin/env python
"""Command-line door to every task of the project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "swapper_project.settings")
    if sys.argv[1:2] == ["worker"]:
        # Before anything imports the metrics: the worker's processes are forked, and share them by files.
        from swapper_project import metrics_files

        metrics_files.begin()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(_told(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _told(error: Exception) -> int:
    """The problem is the operator's to mend: its message says more than a traceback."""
    print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
