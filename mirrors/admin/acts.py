"""Acts on rows: first a page that says what will be done to what, then the doing, then what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from mirrors.services import BulkResult

MOST: Final = 5_000
"""Rows that one act may have."""
SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: a sentence, and why some rows were passed over."""

    words: str
    refusals: Collection[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Act:
    """``words`` says what will happen to the rows; ``run`` takes their keys and who it is."""

    name: str
    title: str
    words: str
    run: Callable[[Collection[int], str], Done]
    is_dangerous: bool = False
    is_end: bool = False
    """Whether the rows are gone afterwards: nothing leads back to the page of one."""


def confirm_or_run(
    act: Act, request: HttpRequest, rows: QuerySet[Any], model_admin: admin.ModelAdmin[Any]
) -> HttpResponse | None:
    """A page that asks, or the act itself where that has been said yes to."""
    keys = list(rows.order_by().values_list("pk", flat=True)[: MOST + 1])
    if len(keys) > MOST:
        text = f"More than {MOST} are selected. Narrow the list with its filters, and act on a part at a time."
        messages.error(request, text)
        return None
    if (confirmed := request.POST.get("confirmed")) is None:
        return _page(act, request, rows, keys, model_admin)
    # "All of the list" may be more by now: what was asked about is what is done.
    asked = set(confirmed.split(","))
    tell(request, act.run([key for key in keys if str(key) in asked], request.user.get_username()))
    return HttpResponseRedirect((not act.is_end and _back(request)) or request.get_full_path())


def _back(request: HttpRequest) -> str:
    """Where it leads back. The address comes from the form: a page of ours alone, or empty."""
    back = request.POST.get("back", "")
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else ""


def tell(request: HttpRequest, done: Done) -> None:
    """What came of an act, as messages on the next page."""
    if done.words:
        messages.success(request, done.words)
    refusals = list(done.refusals)
    for refusal in refusals[:SHOWN]:
        messages.warning(request, refusal)
    if len(refusals) > SHOWN:
        messages.warning(request, f"… and {len(refusals) - SHOWN} more.")


def ordered(acted: BulkResult, words: str) -> Done:
    """Of an act that orders jobs: ``words`` is what became of the new ones. Those that were live already are told."""
    live = [job for job in acted.jobs if job.id not in acted.made]
    told = [f"{job.mapping.source} has a job already ({job.id}, {job.status})." for job in live]
    return Done(f"{len(acted.made)} {words}" if acted.made else "", [*acted.refusals, *told])


def _described(row: Model) -> str:
    mapping = getattr(row, "mapping", None)
    return f"{row}: {mapping}" if mapping is not None else str(row)


def _page(
    act: Act, request: HttpRequest, rows: QuerySet[Model], keys: Collection[int], model_admin: admin.ModelAdmin[Any]
) -> HttpResponse:
    shown = [_described(row) for row in rows[:SHOWN]]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": act.title,
        "opts": model_admin.opts,
        "act": act,
        "shown": shown,
        "more": len(keys) - len(shown),
        "count": len(keys),
        "confirmed": ",".join(map(str, keys)),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": _back(request),
    }
    return TemplateResponse(request, "admin/confirm.html", context)
