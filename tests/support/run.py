"""The environment of a test run, set before settings are read, and the run's database server.

``SWAPPER_TEST_DATABASE=postgres`` runs the suite on its own Postgres server; ``SWAPPER_TEST_DATABASE_URL`` names a
server instead; otherwise the suite runs on SQLite files.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

MARK = "SWAPPER_TEST_RUN_DIR"


def prepare() -> None:
    """Set the environment once per run. Parallel workers inherit the environment that the first process has set."""
    if MARK in os.environ:
        return
    directory = Path(tempfile.mkdtemp(prefix="swapper-tests-"))
    stack = ExitStack()
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("SWAPPER_") and not name.startswith("SWAPPER_TEST_")]:
        del os.environ[name]
    # Let the product write bytecode. Otherwise each start would compile all modules, which takes longer than the rest.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Let pytest write bytecode too. Otherwise each run would rewrite all assertions, half of the time to collect the
    # tests.
    sys.dont_write_bytecode = False
    os.environ |= {
        MARK: str(directory),
        "SWAPPER_DATA_DIR": str(directory),
        "SWAPPER_SECRET_KEY": "only-for-tests-of-this-run-0123456789-abcdefghijklmnopqrstuvwxyz",
        "SWAPPER_DATABASE_URL": f"sqlite:///{directory}/default.sqlite3",
    }
    if url := os.environ.get("SWAPPER_TEST_DATABASE_URL"):
        os.environ["SWAPPER_DATABASE_URL"] = url
    elif os.environ.get("SWAPPER_TEST_DATABASE") == "postgres":
        from tests.support.postgres import running_server

        os.environ["SWAPPER_DATABASE_URL"] = stack.enter_context(running_server(is_migrated=True)).url + "/postgres"
    atexit.register(stack.close)
