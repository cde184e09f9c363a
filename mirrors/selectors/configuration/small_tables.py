"""Tables that processes hold in memory, and the revision numbers by which processes detect changed rows."""

from __future__ import annotations

from django.db import models

from mirrors.models import Cluster, Filter, ImageMapping, Registry, RestartLoop, TargetHealth
from mirrors.models.base.revisions import numbers

SMALL_TABLES: tuple[type[models.Model], ...] = (Registry, Filter, TargetHealth, RestartLoop, Cluster)
FORGOTTEN: tuple[type[models.Model], ...] = (ImageMapping,)
"""Tables whose revision counts only deletions."""


def small_table_revisions() -> tuple[dict[str, int], dict[str, int]]:
    """Return the revision numbers of ``SMALL_TABLES``, and those of ``FORGOTTEN``."""
    found = numbers((*SMALL_TABLES, *FORGOTTEN))
    forgotten = {model._meta.db_table: found.pop(model._meta.db_table) for model in FORGOTTEN}
    return found, forgotten
