"""AdmissionReviews like those of an API server, of about 1.5, 5 and 13 KB, and the filters that apply to them."""

from __future__ import annotations

import json
from typing import Any

FILTERS = (
    "obj.metadata.namespace == 'kube-system'",
    "contains(container.image, '.dkr.ecr.') && contains(container.image, '.amazonaws.com')",
)
SIZES = {1: 1_500, 5: 5_000, 10: 13_000}
"""Bytes of a review by its number of containers."""


def image(number: int) -> str:
    return f"docker.io/shop/service-{number}:1.{number}"


def review(containers: int) -> bytes:
    """Return a review of a pod with this number of containers, padded with environment variables to its usual size."""
    document = _document(containers)
    missing = SIZES[containers] - len(json.dumps(document))
    for index in range(max(0, missing) // 64):
        container = document["request"]["object"]["spec"]["containers"][index % containers]
        container.setdefault("env", []).append(
            {"name": f"SETTING_{index:03}", "value": f"value-{index:03}-" + "x" * 10}
        )
    return json.dumps(document).encode()


def _document(containers: int) -> dict[str, Any]:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "frontend-5d8f7c9b6-",
            "namespace": "shop",
            "labels": {"app": "frontend", "pod-template-hash": "5d8f7c9b6"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "frontend-5d8f7c9b6",
                    "uid": "0c9d39b8-0000-4000-8000-000000000000",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "containers": [
                {"name": f"c{n}", "image": image(n), "imagePullPolicy": "IfNotPresent"} for n in range(containers)
            ],
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
        },
        "status": {},
    }
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller", "groups": []},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
