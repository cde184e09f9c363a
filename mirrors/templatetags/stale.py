"""A template tag that lists the clusters whose numbers are outdated."""

from __future__ import annotations

from django import template

from mirrors.selectors.clusters import clusters

register = template.Library()


@register.inclusion_tag("admin/stale_clusters.html")
def stale_clusters() -> dict[str, list[str]]:
    return {"messages": [clusters.stale_message(cluster) for cluster in clusters.stale_clusters()]}
