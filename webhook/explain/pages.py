"""The admin's page "Explain a pod". It runs in the web process, not in the webhook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from mirrors.kubernetes.objects.pod_manifests import NAMESPACE_PATTERN, ManifestError, read_pods
from mirrors.kubernetes.objects.yaml_scalars import dump
from mirrors.models import AdmissionSample
from mirrors.services import ActionRefusedError, request_image
from swapper_project.config import ConfigError
from webhook.explain.explainer import ExplainedPod, explain_live

VIEW_PERMISSION: Final = "mirrors.view_imagemapping"
OPERATE_PERMISSION: Final = "mirrors.change_mirrorjob"
MOST_REQUESTED_BY_CLICK: Final = 100
"""The maximum number of copies that one click requests, so that the page responds before a proxy's timeout."""
SAMPLE: Final = """\
apiVersion: v1
kind: Pod
metadata:
  name: sample
  labels:
    app: sample
spec:
  initContainers:
    - name: wait
      image: busybox:1.37
  containers:
    - name: web
      image: nginx:1.27
    - name: metrics
      image: quay.io/prometheus/node-exporter:v1.9.0
"""
"""A sample pod for the form: images of several registries, in containers and init containers."""


class ManifestForm(forms.Form):
    """A form for manifests of pods and workloads, and the namespace of objects that specify none."""

    manifest = forms.CharField(
        label="Pod or workload",
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 16, "spellcheck": "false", "class": "swapper-code", "aria-describedby": "id_manifest_help"}
        ),
        help_text="YAML or JSON of a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob; one or more documents.",
        error_messages={"required": "Paste a Pod or a workload that creates pods."},
    )
    namespace = forms.CharField(
        initial="default",
        max_length=63,
        widget=UnfoldAdminTextInputWidget(),
        validators=[RegexValidator(NAMESPACE_PATTERN, "Not a valid namespace name.")],
        help_text="Used for objects without a namespace.",
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "manifest" in data and "namespace" in data:
            try:
                data["pods"] = read_pods(data["manifest"], namespace=data["namespace"])
            except ManifestError as error:
                self.add_error("manifest", str(error))
        return data


def explain_page(request: HttpRequest) -> HttpResponse:
    """Show the form, filled in by ``?admission=ID`` or ``?sample=1``. Explain the pods of a bound form: one that is
    sent by POST, or filled in from an admission. A POST with ``mirror`` also requests copies of the missing images."""
    if not request.user.has_perm(VIEW_PERMISSION):
        raise PermissionDenied
    form = _form(request)
    explained: Sequence[ExplainedPod] = ()
    problem = ""
    copy_requests: list[dict[str, str]] = []
    if form.is_bound and form.is_valid():
        try:
            explained = explain_live(form.cleaned_data["pods"])
        except ConfigError as error:
            problem = str(error)
        if request.method == "POST" and "mirror" in request.POST:
            copy_requests = _request_copies(request, explained)
    return render(
        request,
        "admin/explain.html",
        {
            **admin.site.each_context(request),
            "title": "Explain a pod",
            "form": form,
            "pods": [_pod_context(pod) for pod in explained],
            "missing": _missing(explained),
            "copy_requests": copy_requests,
            "problem": problem,
            "may_operate": request.user.has_perm(OPERATE_PERMISSION),
        },
    )


explain_view = admin.site.admin_view(explain_page)


def _form(request: HttpRequest) -> ManifestForm:
    if request.method == "POST":
        return ManifestForm(request.POST)
    if "sample" in request.GET:
        return ManifestForm(initial={"manifest": SAMPLE, "namespace": "default"})
    number = request.GET.get("admission", "")
    sample = AdmissionSample.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
    if sample is not None:
        text = dump(sample.pod)
        return ManifestForm({"manifest": text, "namespace": sample.namespace or "default"})
    if number:
        messages.warning(request, "This admission was deleted: paste the pod instead.")
    return ManifestForm()


def _request_copies(request: HttpRequest, explained: Sequence[ExplainedPod]) -> list[dict[str, str]]:
    """Request copies of the missing images. Return one entry per image, with a link to its job, or with the reason why
    there is no job."""
    if not request.user.has_perm(OPERATE_PERMISSION):
        raise PermissionDenied
    copy_requests = []
    for image in _missing(explained)[:MOST_REQUESTED_BY_CLICK]:
        try:
            job, is_new = request_image(image=image, requested_by=request.user.get_username())
        except ActionRefusedError as error:
            copy_requests.append({"image": image, "problem": str(error)})
            continue
        status = "requested" if is_new else "already requested"
        link = reverse("admin:mirrors_mirrorjob_change", args=[job.pk])
        copy_requests.append({"image": image, "status": status, "job": str(job.pk), "link": link})
    return copy_requests


def _missing(explained: Sequence[ExplainedPod]) -> list[str]:
    """Return the images that lack a copy, without duplicates."""
    return list(dict.fromkeys(i.image for pod in explained for i in pod.images if i.can_be_mirrored))


def _pod_context(pod: ExplainedPod) -> dict[str, Any]:
    return {"explained": pod, "patch": json.dumps(list(pod.patch), indent=2) if pod.patch else ""}
