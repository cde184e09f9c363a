"""The two bare views."""

from __future__ import annotations

import json
from typing import Any

import jmespath
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.reviews import FILTERS

COMPILED = [jmespath.compile(expression) for expression in FILTERS]


def decide(review: dict[str, Any]) -> dict[str, Any]:
    """Run the filters on each container, and allow the pod."""
    request = review["request"]
    pod = request["object"]
    for container in pod["spec"]["containers"]:
        for expression in COMPILED:
            if expression.search({"obj": pod, "container": container}):
                break
    response = {"uid": request["uid"], "allowed": True}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


class DrfView(APIView):
    def post(self, request: Request) -> Response:
        return Response(decide(request.data))


def django_view(request: HttpRequest) -> HttpResponse:
    return JsonResponse(decide(json.loads(request.body)))


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("drf", DrfView.as_view()), path("django", django_view), path("readyz", ready)]
