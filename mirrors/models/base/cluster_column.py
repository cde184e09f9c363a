"""The column that says of which cluster a row is."""

from __future__ import annotations

from typing import Any

from django.db import models

from mirrors.vocabulary.clusters import CLUSTER_LENGTH, DEFAULT_CLUSTER


def cluster_field(*, default: str = DEFAULT_CLUSTER, **options: Any) -> models.CharField[str, str]:
    """Named after ``clusterName``. What releases write that know no clusters is of the ``default`` one."""
    return models.CharField(max_length=CLUSTER_LENGTH, blank=True, default=default, db_default=default, **options)
