"""Run as ``python -m tests.support.warm_server FD KIND``: start commands and servers with their libraries already
loaded.

Short commands, and servers that start, spend most of their time importing libraries. This server imports them once, and
each process is a fork that reads its own environment, settings and arguments like any other process.

There are two kinds. ``libraries`` has imported only modules that read neither settings nor environment. ``project`` has
set up the whole project, for commands whose settings differ only in values without effect on that: see
``tests.support.warm_project``.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

from swapper_project.process.parent_death import die_with_parent
from tests.support import warm_project

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = (
    "asyncio",
    "cryptography.x509",
    "dj_database_url",
    "django.contrib.postgres.fields",
    "django.core.cache",
    "django.core.mail",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.db.models",
    "django.forms",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "django.templatetags.static",
    "django.test",
    "django.urls",
    "django.views.generic",
    "environs",
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "gunicorn.workers.gthread",
    "httpx2",
    "inflection",
    "jinja2",
    "jsonschema",
    "mirrors.filters",
    "mirrors.kubernetes.objects.pods",
    "mirrors.oci.engine",
    "requests",
    "rich.progress",
    "rich.traceback",
    "structlog",
    "swapper_project.config",
    "swapper_project.process.private_files.certificates",
    "swapper_project.process.environment",
    "uritemplate",
)
"""Modules that most commands import and that read neither settings nor environment during their import."""

SHOW_STACKS: Final = signal.SIGRTMIN
"""The signal that makes a process, or a process forked from it, write the stacks of its threads to its log."""

READ_ENVIRONMENT = "prometheus_client"
"""A module that reads, during its import, where processes share their metrics."""

end_with: Final = die_with_parent(signal.SIGKILL)
"""Have this process killed when its parent, given by its ID, exits."""


def main(control: socket.socket, kind: str) -> None:
    """Serve requests until the test process closes its end. Returns only in the process of a command."""
    for name in PRELOADED:
        importlib.import_module(name)
    from django.conf import settings

    assert not settings.configured and READ_ENVIRONMENT not in sys.modules
    if kind == warm_project.KIND:
        warm_project.set_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # No process waits for the processes that wait for commands.
    gc.freeze()
    server = os.getpid()
    while True:
        _, files, _, _ = socket.recv_fds(control, 1, 4)
        if not files:
            sys.exit()
        if os.fork() == 0:
            control.close()
            _serve(files, server)
            if kind == warm_project.KIND:
                warm_project.read_settings_again()
            return
        for file in files:
            os.close(file)


def _serve(files: list[int], server: int) -> None:
    """Serve one request. Returns only in the command's process: the process that waits for the command exits in this
    function."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=files[0]) as connection, connection.makefile("rw") as lines:
        request = json.loads(lines.readline())
        if request["ends_with_us"]:  # The server exits with the test process, and this process with the server.
            end_with(server)
        waiting = os.getpid()
        if pid := os.fork():
            print(pid, file=lines, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=lines, flush=True)
            os._exit(0)
    if request["ends_with_us"]:
        end_with(waiting)
    _become(request, files[1:])


def _become(request: dict[str, Any], files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(ROOT)
    faulthandler.enable()  # to the new standard error, so that a crash appears in the log
    faulthandler.register(SHOW_STACKS)
    random.seed()
    if request["leads_group"]:
        os.setsid()
    sys.argv = request["arguments"]


def run(arguments: list[str]) -> None:
    """Run a script or ``-m MODULE``, as ``python ARGUMENTS`` does."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")


def run_and_end(arguments: list[str]) -> NoReturn:
    """Run the arguments and exit without freeing all objects of the project, which takes longer than most commands."""
    try:
        run(arguments)
        status: str | int | None = 0
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(status or 0) if not isinstance(status, str) else 1)


if __name__ == "__main__":
    kind = sys.argv[2]
    main(socket.socket(fileno=int(sys.argv[1])), kind)
    (run_and_end if kind == warm_project.KIND else run)(sys.argv)
