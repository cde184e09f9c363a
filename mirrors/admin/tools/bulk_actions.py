"""Actions on rows: a confirmation page, then the action, then messages with its result."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from mirrors.services import BulkResult

MOST_CHANGED_ROWS: Final = 5_000
"""The maximum number of rows that one action can change. With more rows, the request would last longer than a proxy
waits."""
NAMED_ROWS: Final = 10
"""The maximum number of rows that the confirmation page names, and of messages about skipped rows."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action: a sentence, and the reasons why rows were skipped. ``page`` is the URL of the row that
    the action created, if there is exactly one; an action on the page of a row redirects to it."""

    message: str
    refusals: Collection[str] = field(default_factory=list)
    page: str = ""


@dataclass(frozen=True, slots=True)
class BulkAction:
    """An action on rows. ``description`` says what it does; ``run`` takes the keys of the rows and the name of the
    user."""

    name: str
    title: str
    description: str
    run: Callable[[Collection[int], str], ActionResult]
    is_dangerous: bool = False
    deletes_rows: bool = False
    """Whether the action deletes the rows, so that the page of a row cannot be opened afterwards."""


def confirm_or_run(
    action: BulkAction, request: HttpRequest, rows: QuerySet[Any], model_admin: admin.ModelAdmin[Any]
) -> HttpResponse | None:
    """Return the confirmation page, or run the action if it was confirmed. Returns None, with an error message, if more
    than ``MOST_CHANGED_ROWS`` rows are selected."""
    keys = list(rows.order_by().values_list("pk", flat=True)[: MOST_CHANGED_ROWS + 1])
    if len(keys) > MOST_CHANGED_ROWS:
        text = f"More than {MOST_CHANGED_ROWS:,} rows are selected. Use the filters of the list to select fewer rows."
        messages.error(request, text)
        return None
    if (confirmed := request.POST.get("confirmed")) is None:
        return _page(action, request, rows, keys, model_admin)
    # More rows may match "all rows" now than before the confirmation: change only the confirmed ones.
    confirmed_keys = set(confirmed.split(","))
    result = action.run([key for key in keys if str(key) in confirmed_keys], request.user.get_username())
    show_result(request, result)
    back = "" if action.deletes_rows else _back(request)
    return HttpResponseRedirect((back and result.page) or back or request.get_full_path())


def _back(request: HttpRequest) -> str:
    """Return the page to return to. The form contains its URL, so only paths of this site are accepted; else return an
    empty string."""
    back = request.POST.get("back", "")
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else ""


def show_result(request: HttpRequest, result: ActionResult) -> None:
    """Show the result of an action as messages on the next page."""
    if result.message:
        messages.success(request, result.message)
    refusals = list(result.refusals)
    for refusal in refusals[:NAMED_ROWS]:
        messages.warning(request, refusal)
    if len(refusals) > NAMED_ROWS:
        messages.warning(request, f"… and {len(refusals) - NAMED_ROWS:,} more.")


def requested_jobs_result(result: BulkResult, singular: str, plural: str = "") -> ActionResult:
    """Return the result of an action that requests jobs. ``singular`` and ``plural`` describe it for one and for
    several images. Images that already had an active job are listed among the refusals."""
    live = [job for job in result.jobs if job.id not in result.created_ids]
    active = [f"{job.mapping.source} already has job {job.id} ({job.get_status_display().lower()})." for job in live]
    count = len(result.created_ids)
    text = singular if count == 1 or not plural else plural
    return ActionResult(f"{count:,} {text}" if count else "", [*result.refusals, *active])


def _description(row: Model) -> str:
    mapping = getattr(row, "mapping", None)
    return f"{row}: {mapping}" if mapping is not None else str(row)


def confirmation_page(
    action: BulkAction,
    request: HttpRequest,
    rows: QuerySet[Any],
    model_admin: admin.ModelAdmin[Any],
    *,
    back: str,
    nothing: str,
) -> HttpResponse:
    """Return the confirmation page for rows that a link selects. It shows ``nothing`` if there are none; ``back`` is
    the page to return to."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:MOST_CHANGED_ROWS])
    opts = model_admin.opts
    form_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    extra_context = {"form_url": form_url, "back": back, "selected": keys, "nothing": nothing}
    return _page(action, request, rows, keys, model_admin, **extra_context)


def _page(
    action: BulkAction,
    request: HttpRequest,
    rows: QuerySet[Model],
    keys: Collection[int],
    model_admin: admin.ModelAdmin[Any],
    **extra_context: Any,
) -> HttpResponse:
    shown = [_description(row) for row in rows[:NAMED_ROWS]]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": action.title,
        "opts": model_admin.opts,
        "action": action,
        "shown": shown,
        "more": len(keys) - len(shown),
        "count": len(keys),
        "confirmed": ",".join(map(str, keys)),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": _back(request),
        **extra_context,
    }
    return TemplateResponse(request, "admin/confirm.html", context)
