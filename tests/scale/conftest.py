"""What is about Postgres alone is collected in its run alone."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("SWAPPER_TEST_DATABASE") == "postgres" else ["test_search_indexes.py"]
