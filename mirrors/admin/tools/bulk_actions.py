"""Actions on rows: a page that asks for confirmation, then the action, then messages with its result."""

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
"""Rows that one action may change: more would hold the request for longer than a proxy waits."""
NAMED_ROWS: Final = 10
"""Rows that the confirmation names, and messages about rows that were passed over."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action: a sentence, and why some rows were passed over. ``page`` is that of the row that
    it made, where there is one: the page of a row then leads to it."""

    words: str
    refusals: Collection[str] = field(default_factory=list)
    page: str = ""


@dataclass(frozen=True, slots=True)
class BulkAction:
    """``words`` says what will happen to the rows; ``run`` takes their keys and the name of the user."""

    name: str
    title: str
    words: str
    run: Callable[[Collection[int], str], ActionResult]
    is_dangerous: bool = False
    is_end: bool = False
    """Whether the rows are deleted: then the page of the row cannot be opened afterwards."""


def confirm_or_run(
    action: BulkAction, request: HttpRequest, rows: QuerySet[Any], model_admin: admin.ModelAdmin[Any]
) -> HttpResponse | None:
    """The page that asks for confirmation, or the action itself after it was confirmed."""
    keys = list(rows.order_by().values_list("pk", flat=True)[: MOST_CHANGED_ROWS + 1])
    if len(keys) > MOST_CHANGED_ROWS:
        text = f"More than {MOST_CHANGED_ROWS:,} rows are selected. Use the filters of the list to select fewer rows."
        messages.error(request, text)
        return None
    if (confirmed := request.POST.get("confirmed")) is None:
        return _page(action, request, rows, keys, model_admin)
    # "All rows" may be more by now: only the rows that were confirmed are changed.
    asked = set(confirmed.split(","))
    result = action.run([key for key in keys if str(key) in asked], request.user.get_username())
    show_result(request, result)
    back = "" if action.is_end else _back(request)
    return HttpResponseRedirect((back and result.page) or back or request.get_full_path())


def _back(request: HttpRequest) -> str:
    """The page to return to. The address comes from the form, so only our own pages are allowed; else empty."""
    back = request.POST.get("back", "")
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else ""


def show_result(request: HttpRequest, result: ActionResult) -> None:
    """Shows the result of an action as messages on the next page."""
    if result.words:
        messages.success(request, result.words)
    refusals = list(result.refusals)
    for refusal in refusals[:NAMED_ROWS]:
        messages.warning(request, refusal)
    if len(refusals) > NAMED_ROWS:
        messages.warning(request, f"… and {len(refusals) - NAMED_ROWS:,} more.")


def ordered(acted: BulkResult, one: str, more: str = "") -> ActionResult:
    """The result of an action that requests jobs: ``one`` and ``more`` say what was done for one or more images. Jobs
    that were active already are listed."""
    live = [job for job in acted.jobs if job.id not in acted.made]
    active = [f"{job.mapping.source} already has job {job.id} ({job.get_status_display().lower()})." for job in live]
    count = len(acted.made)
    words = one if count == 1 or not more else more
    return ActionResult(f"{count:,} {words}" if count else "", [*acted.refusals, *active])


def _described(row: Model) -> str:
    mapping = getattr(row, "mapping", None)
    return f"{row}: {mapping}" if mapping is not None else str(row)


def ask(
    action: BulkAction,
    request: HttpRequest,
    rows: QuerySet[Any],
    model_admin: admin.ModelAdmin[Any],
    *,
    back: str,
    nothing: str,
) -> HttpResponse:
    """The page that asks for confirmation, for rows that a link names: ``nothing`` is said where there are none, and
    ``back`` is the page to return to."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:MOST_CHANGED_ROWS])
    opts = model_admin.opts
    form_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    linked = {"form_url": form_url, "back": back, "selected": keys, "nothing": nothing}
    return _page(action, request, rows, keys, model_admin, **linked)


def _page(
    action: BulkAction,
    request: HttpRequest,
    rows: QuerySet[Model],
    keys: Collection[int],
    model_admin: admin.ModelAdmin[Any],
    **linked: Any,
) -> HttpResponse:
    shown = [_described(row) for row in rows[:NAMED_ROWS]]
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
        **linked,
    }
    return TemplateResponse(request, "admin/confirm.html", context)
