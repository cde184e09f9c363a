"""Banners of all pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from mirrors.selectors.pull_failures import disturbed, health_words

register = template.Library()


@register.inclusion_tag("admin/banners.html", takes_context=True)
def target_banners(context: Any) -> dict[str, Any]:
    """Targets that nodes cannot pull from, for users who may see them."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.has_perm("mirrors.view_targethealth"):
        return {"banners": []}
    link = reverse("admin:mirrors_targethealth_changelist")
    return {
        "banners": [{"title": f"Target {row.state}", "words": health_words(row)} for row in disturbed()],
        "link": link,
    }
