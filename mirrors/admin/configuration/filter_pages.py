"""The page that tries filters. It shows the result of each filter while the user types, and the effect of saving."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from mirrors.filters import CompiledFilter, InvalidFilterError
from mirrors.filters.error_positions import message_with_caret
from mirrors.filters.trial import BUDGET, NOT_TRIED, TRIAL_SECONDS, Change, try_filters
from mirrors.filters.warnings import filter_warning
from mirrors.kubernetes.objects.pod_manifests import ManifestError, PodManifest, read_pods
from mirrors.models import AdmissionSample, Filter, ManagedBy
from mirrors.selectors.clusters.clusters import qualified_namespace, unknown_clusters_warning
from mirrors.selectors.configuration import declared
from mirrors.selectors.configuration import filter_impact as filter_plans
from mirrors.selectors.configuration.declared import own_cluster
from mirrors.selectors.configuration.filter_impact import Plan
from mirrors.selectors.queries.known_clusters import known_clusters

RECENT: Final = 50
"""The number of recent admissions that can be chosen as a sample. A longer list is hard to choose from."""

MOST_TRIED_PODS: Final = 20
"""The maximum number of pods of a pasted manifest that a filter is tried on, so that the page responds immediately."""

SHOWN_PODS: Final = 5
"""The maximum number of pods that are named for an image. The others are counted."""

VIEW_FILTER: Final = "mirrors.view_filter"
CODE: Final = {"spellcheck": "false", "autocapitalize": "off", "class": "swapper-code"}


class TrialForm(forms.Form):
    """The form of the page: an expression, and a pod that was pasted or admitted."""

    jmespath = forms.CharField(
        label="JMESPath",
        required=False,
        strip=False,
        max_length=8192,
        widget=UnfoldAdminTextareaWidget(attrs={**CODE, "rows": 5}),
        help_text="An expression on {obj, container}; an image for which it is true is excluded.",
    )
    admission = forms.ChoiceField(
        label="Recent admission",
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text="Without environment, commands, arguments and annotations: to try a filter on these, paste a pod.",
    )
    pod = forms.CharField(
        label="Or paste a pod",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={**CODE, "rows": 14}),
        help_text="YAML or JSON of a Pod or a workload; without metadata.namespace, the namespace is default.",
    )
    filter = forms.IntegerField(required=False, widget=forms.HiddenInput())
    position = forms.IntegerField(required=False, widget=forms.HiddenInput())
    name = forms.CharField(required=False, widget=forms.HiddenInput())
    cluster = forms.CharField(required=False, widget=forms.HiddenInput())
    enabled = forms.CharField(required=False, initial="on", widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["admission"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "None: use the pod pasted below"), *_recent(str(self["admission"].value() or ""))]


@dataclass(frozen=True, slots=True)
class SubmittedExpression:
    """A submitted form with the plan of its expression, or the error in the expression."""

    expression: str
    row: Filter | None
    plan: Plan | None
    problem: str


def try_page(request: HttpRequest) -> HttpResponse:
    """Show the page for a GET with ``filter`` or ``admission``, or for a POST from the edit form with its current
    expression."""
    _check_permission(request)
    row = _row(request.POST.get("filter") or request.GET.get("filter"))
    initial: dict[str, Any] = {"jmespath": row.jmespath if row else "", "filter": row.pk if row else None}
    initial |= {"admission": request.GET.get("admission", "")}
    if row is not None:
        initial |= {"name": row.name, "cluster": row.cluster, "position": row.position, "enabled": "on" * row.enabled}
    for name in ("jmespath", "admission", "pod", "position", "name", "cluster"):
        if name in request.POST:
            initial[name] = request.POST[name]
    if "name" in request.POST:
        initial["enabled"] = request.POST.get("enabled", "")
    if not initial["admission"] and not initial.get("pod"):
        newest = AdmissionSample.objects.order_by("-id").values_list("pk", flat=True).first()
        initial["admission"] = str(newest or "")
    form = TrialForm(initial=initial)
    submitted = _compile(str(initial["jmespath"]), row, parse_number(initial.get("position")), initial.get("cluster"))
    context = {
        **admin.site.each_context(request),
        "title": f"Try filter {row.name}" if row else "Try a filter",
        "form": form,
        "row": row,
        "may_change": row and row.managed_by != ManagedBy.CONFIG and request.user.has_perm("mirrors.change_filter"),
        "has_samples": len(form.fields["admission"].choices) > 1,  # type: ignore[attr-defined]
        **_results_context(submitted, str(initial["admission"]), str(initial.get("pod") or "")),
    }
    return render(request, "admin/mirrors/filter_try.html", context)


@require_POST
def trial_results(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that is refreshed while the user types."""
    _check_permission(request)
    submitted = _from_post(request)
    context = _results_context(submitted, request.POST.get("admission", ""), request.POST.get("pod", ""))
    return render(request, "admin/mirrors/filter_answers.html", context)


@require_POST
def impact_of_form(request: HttpRequest) -> HttpResponse:
    """Return the effect of saving on the admissions of the last 24 hours."""
    _check_permission(request)
    submitted = _from_post(request)
    impact = filter_plans.impact(submitted.plan) if submitted.plan else None
    context = {
        "impact": impact,
        "candidate": submitted.plan.candidate if submitted.plan else "",
        "left_out": _by_image(impact.left_out) if impact else [],
        "mirrored": _by_image(impact.mirrored) if impact else [],
    }
    return render(request, "admin/mirrors/filter_impact.html", context)


def _by_image(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the changes grouped by image, with some of its pods."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.image, change.by), []).append(change)
    return [
        {"image": image, "by": by, "some": image_changes[:SHOWN_PODS], "more": max(0, len(image_changes) - SHOWN_PODS)}
        for (image, by), image_changes in groups.items()
    ]


def _check_permission(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW_FILTER):
        raise PermissionDenied


def _from_post(request: HttpRequest) -> SubmittedExpression:
    text = request.POST.get("jmespath", "").replace("\r\n", "\n")
    position, cluster = parse_number(request.POST.get("position")), request.POST.get("cluster")
    return _compile(text, _row(request.POST.get("filter")), position, cluster)


def _compile(expression: str, row: Filter | None, position: int | None, cluster: str | None) -> SubmittedExpression:
    if not expression.strip():
        return SubmittedExpression(expression, row, None, "")
    # The form of a filter strips the cluster too.
    cluster = cluster.strip() if cluster is not None else None
    try:
        plan = filter_plans.plan(expression=expression, row=row, position=position, cluster=cluster)
        return SubmittedExpression(expression, row, plan, "")
    except InvalidFilterError as error:
        return SubmittedExpression(expression, row, None, message_with_caret(expression, error))


def _results_context(submitted: SubmittedExpression, admission: str, pod: str) -> dict[str, Any]:
    """Return the results of the expression on the chosen pods; without a valid expression, those of the active
    filters."""
    candidate = submitted.plan.candidate if submitted.plan else ""
    cluster, pods, problem = _pods(admission, pod, (submitted.plan.cluster if submitted.plan else "") or own_cluster())
    chain = submitted.plan.chain_to_try(cluster) if submitted.plan else filter_plans.active_filters(cluster)
    # One deadline for all pods, because this runs while the user types.
    deadline = time.monotonic() + TRIAL_SECONDS
    return {
        "submitted": submitted,
        "warning": " ".join(filter(None, (filter_warning(submitted.expression), _cluster_warning(submitted)))),
        "shown_pods": [
            {**_trial(pod, chain, candidate, deadline), "place": qualified_namespace(cluster, pod.namespace)}
            for pod in pods[:MOST_TRIED_PODS]
        ],
        "pods_not_tried": len(pods[MOST_TRIED_PODS:]),
        "pod_problem": problem,
        "candidate": candidate,
        "budget": BUDGET,
    }


def _cluster_warning(submitted: SubmittedExpression) -> str:
    row = Filter(cluster=submitted.plan.cluster) if submitted.plan else Filter()
    return unknown_clusters_warning(row, known_clusters)


def _trial(pod: PodManifest, chain: Sequence[CompiledFilter], candidate: str, deadline: float) -> dict[str, Any]:
    results = try_filters(pod.pod, pod.namespace, chain, deadline=deadline)
    trials = [
        {"trial": trial, "own": next((a for a in trial.results if a.name == candidate), None)}
        for trial in results
        if trial.winner != NOT_TRIED
    ]
    return {"title": pod.title, "trials": trials, "not_tried": len(results) - len(trials)}


def _pods(admission: str, text: str, cluster: str) -> tuple[str, list[PodManifest], str]:
    """Return the cluster of the pods, the pods, and an error message. The pods are the one of the chosen admission, or
    else the pasted ones, which are tried as pods of ``cluster``."""
    number = parse_number(admission)
    if number is not None:
        sample = AdmissionSample.objects.filter(pk=number).first()
        if sample is None:
            return cluster, [], "This admission was deleted: choose another one, or paste a pod."
        pod = PodManifest(f"Pod/{sample.pod_name or '(no name)'}", sample.namespace, sample.pod)
        return sample.cluster, [pod], ""
    if not text.strip():
        return cluster, [], ""
    try:
        return cluster, read_pods(text, namespace="default"), ""
    except ManifestError as error:
        return cluster, [], str(error)


def _recent(chosen: str) -> list[tuple[str, str]]:
    rows = list(AdmissionSample.objects.defer("pod", "decisions").order_by("-id")[:RECENT])
    number = parse_number(chosen)
    if number is not None and number not in {row.pk for row in rows}:
        rows += AdmissionSample.objects.defer("pod", "decisions").filter(pk=number)
    now = timezone.now()
    return [(str(r.pk), f"{_namespace_of(r)}/{r.pod_name or r.workload}, {_age(r.created_at, now)}") for r in rows]


def _namespace_of(row: AdmissionSample) -> str:
    return qualified_namespace(row.cluster, row.namespace)


def _age(at: datetime, now: datetime) -> str:
    return f"{timesince(at, now)} ago" if (now - at).total_seconds() >= 60 else "just now"


def _row(value: str | None) -> Filter | None:
    number = parse_number(value)
    rows = list(Filter.objects.filter(pk=number)) if number is not None else []
    declared.apply_declared_values(rows, declared.active_rows(Filter))
    return rows[0] if rows else None


def parse_number(value: object) -> int | None:
    """Return a number that is valid as a key or position; None for any other value."""
    text = str(value if value is not None else "")
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        return None
    return int(text)
