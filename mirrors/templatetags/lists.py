"""Template tags for the table of a list, and for the link to its CSV file."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import RequestContext
from django.urls import NoReverseMatch, reverse

register = template.Library()


@register.inclusion_tag("admin/mirrors/rows.html", takes_context=True)
def rows_of(context: RequestContext, listed: Any) -> dict[str, Any]:
    """Return the headers and cells of a list. Each header is computed once."""
    # Imported in the function, because template tags are loaded before the modules of the admin.
    from mirrors.admin.tools.lists.list_rendering import columns, headers

    heads = headers(listed)
    shown = columns(listed, heads)
    return {
        "cl": listed,
        "result_headers": heads,
        "num_sorted_fields": sum(bool(head.get("sorted")) for head in heads),
        "rows": [[show(row) for show in shown] for row in listed.result_list],
        "has_add_permission": listed.model_admin.has_add_permission(context["request"]),
    }


@register.simple_tag
def export_url(listed: Any) -> str:
    """Return the URL of the filtered list as CSV; empty if the list has no export."""
    try:
        url = reverse(f"admin:{listed.opts.app_label}_{listed.opts.model_name}_export")
    except NoReverseMatch:
        return ""
    return url + str(listed.get_query_string())
