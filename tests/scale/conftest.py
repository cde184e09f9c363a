"""Collect tests that depend on Postgres only when the tests run on Postgres."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("SWAPPER_TEST_DATABASE") == "postgres" else ["test_search_indexes.py"]
