"""The time that the API server waits for a response. The API server sends it in the URL, as ``?timeout=10s``.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#timeouts
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from swapper_project.config.sections.quantities import duration

MOST_FIELDS: Final = 20
"""The maximum number of fields of the query string that are accepted; the API server sends one."""

LONGEST_TIMEOUT: Final = 30.0
"""The longest timeout, in seconds, that Kubernetes allows."""


@lru_cache(maxsize=64)
def timeout_of_query(query: str) -> float | None:
    """Return the ``timeout`` of a query string in seconds; None if it has no valid one."""
    if "timeout=" not in query:
        return None
    try:
        timeouts = [value for key, value in parse_qsl(query, max_num_fields=MOST_FIELDS) if key == "timeout"]
        seconds = duration(timeouts[0]) if len(timeouts) == 1 else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds <= LONGEST_TIMEOUT else None
