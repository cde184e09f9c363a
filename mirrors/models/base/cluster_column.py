"""The column with the cluster of a row."""

from __future__ import annotations

from typing import Any

from django.db import models

from mirrors.vocabulary.clusters import CLUSTER_LENGTH, DEFAULT_CLUSTER


def cluster_field(*, default: str = DEFAULT_CLUSTER, **options: Any) -> models.CharField[str, str]:
    """Return a column for the ``clusterName`` of a row. The database fills in ``default`` for rows written by earlier
    releases, which do not know the column."""
    return models.CharField(max_length=CLUSTER_LENGTH, blank=True, default=default, db_default=default, **options)
