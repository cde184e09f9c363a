"""Banners of all pages about targets that nodes cannot pull from. The targets are read once per page."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse

from mirrors.models import TargetHealth
from mirrors.selectors.clusters.suspensions import disturbed_targets, health_message

register = template.Library()


def cache_targets(request: HttpRequest, targets: list[TargetHealth]) -> list[TargetHealth]:
    """Keep the targets that a page has read with other data, so that its banners do not read them again."""
    request._swapper_disturbed = targets  # type: ignore[attr-defined]
    return targets


def _targets(request: HttpRequest) -> list[TargetHealth]:
    cached: list[TargetHealth] | None = getattr(request, "_swapper_disturbed", None)
    return cache_targets(request, list(disturbed_targets())) if cached is None else cached


@register.inclusion_tag("admin/banners.html", takes_context=True)
def target_banners(context: Any) -> dict[str, Any]:
    """Return the banners, for users who have permission to see them."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.has_perm("mirrors.view_targethealth"):
        return {"banners": []}
    link = reverse("admin:mirrors_targethealth_changelist")
    banners = [{"title": f"Target {row.state}", "message": health_message(row)} for row in _targets(request)]
    return {"banners": banners, "link": link}
