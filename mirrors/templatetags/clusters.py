"""A template filter for namespaces of several clusters."""

from __future__ import annotations

from typing import Any

from django import template

from mirrors.selectors.clusters.clusters import qualified_namespace

register = template.Library()


@register.filter
def place(row: Any) -> str:
    """Return the namespace of a row; for another cluster, return ``CLUSTER/NAMESPACE``."""
    return qualified_namespace(row.cluster, row.namespace)
