#!/usr/bin/env python
"""Command-line door to every task of the project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "swapper_project.settings")
    from swapper_project.process import release
    from swapper_project.process.commands import command_line

    argv = command_line.apply_flags(sys.argv, os.environ)
    if release.is_version_request(argv):
        print(release.PRODUCT_NAME, release.VERSION)
        return
    is_help = bool({"-h", "--help"} & set(argv))
    if not is_help:
        command_line.apply_role(argv, os.environ)
    try:
        _run(argv, is_help=is_help)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not (words := command_line.explain_error(error)):
            raise
        print(words, file=sys.stderr)
        sys.exit(2)


def _run(argv: list[str], *, is_help: bool) -> None:
    if argv[1:2] == ["worker"]:
        # Before anything imports the metrics: the worker's processes are forked, and share them by files.
        from swapper_project.process.monitoring import metrics_files

        metrics_files.create_directory()
    if argv[1:2] in (["webhook"], ["web"]) and not is_help:
        from mirrors.management import serving

        return serving.run_gunicorn_in_process(argv[1], argv[2:])
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)


if __name__ == "__main__":
    main()
