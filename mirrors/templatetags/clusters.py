"""Namespaces of several clusters, in templates."""

from __future__ import annotations

from typing import Any

from django import template

from mirrors.selectors.clusters.clusters import place_name

register = template.Library()


@register.filter
def place(row: Any) -> str:
    """The namespace of a row; of another cluster as ``CLUSTER/NAMESPACE``."""
    return place_name(row.cluster, row.namespace)
