"""Sampled admissions: which fields are stored, which never are, and that the number of samples is bounded."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from mirrors.demo.registry import MemoryRegistry
from mirrors.models import AdmissionSample
from tests.support.databases import DatabaseTemplate, query
from tests.support.system import Webhook, pod_of, running_webhook

CANARY = "canary-4711-that-nobody-may-keep"
COLUMNS = [field.column for field in AdmissionSample._meta.concrete_fields]
FILTERS = [{"jmespath": "contains(container.image, 'internal.example.com')"}]


def owned_by(deployment: str) -> dict[str, Any]:
    """Return the metadata of a pod of a Deployment."""
    owner = {"kind": "ReplicaSet", "name": f"{deployment}-5d8f7c9b6", "controller": True}
    labels = {"app": deployment, "pod-template-hash": "5d8f7c9b6"}
    return {"name": f"{deployment}-5d8f7c9b6-x7k2p", "labels": labels, "ownerReferences": [owner]}


@contextlib.contextmanager
def stopped_after(tmp_path: Path, template: DatabaseTemplate, target: MemoryRegistry) -> Any:
    """Yield a webhook and a list. After the block, stop the webhook and fill the list with the rows that it wrote."""
    keys: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none", "source": {"filters": FILTERS}}
    rows: list[dict[str, Any]] = []
    with template.copy(tmp_path) as url:
        with running_webhook(tmp_path, _Same(url), target=target.host, **keys) as webhook:  # type: ignore[arg-type]
            yield webhook, rows
        for row in query(url, f"SELECT {', '.join(COLUMNS)} FROM mirrors_admissionsample ORDER BY id"):  # noqa: S608
            reported = dict(zip(COLUMNS, row, strict=True))
            # SQLite returns JSON as text.
            json_fields = {key: reported[key] for key in ("pod", "decisions")}
            rows.append(reported | {k: json.loads(v) if isinstance(v, str) else v for k, v in json_fields.items()})


class _Same:
    """A template whose copy is a database that outlives the webhook."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextlib.contextmanager
    def copy(self, directory: Path) -> Any:
        yield self._url


def test_a_sample_contains_the_decisions_but_no_secrets(
    tmp_path: Path, database_template: DatabaseTemplate, target: MemoryRegistry
) -> None:
    pod = pod_of("nginx:1.27", "internal.example.com/tool:1", **owned_by("web"), annotations={"note": CANARY})
    for container in pod["spec"]["containers"]:
        container |= {
            "env": [{"name": "PASSWORD", "value": CANARY}],
            "envFrom": [{"secretRef": {"name": CANARY}}],
            "command": ["run", CANARY],
            "args": [f"--token={CANARY}"],
            "lifecycle": {"postStart": {"exec": {"command": [CANARY]}}},
            "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": CANARY}]}},
            "resources": {"limits": {"memory": "1Gi"}},
        }
    pod["spec"] |= {
        "volumes": [
            {"name": "model", "image": {"reference": "quay.io/models/llm:1"}},
            {"name": "host", "hostPath": {"path": CANARY}},
        ],
        "hostAliases": [{"hostnames": [CANARY]}],
        "nodeSelector": {"disk": "ssd"},
    }

    with stopped_after(tmp_path, database_template, target) as (webhook, rows):
        webhook.admit(pod, namespace="shop")

    (row,) = rows
    assert CANARY not in json.dumps(row, default=str)
    names = (row["namespace"], row["workload_kind"], row["workload"], row["pod_name"], row["operation"])
    assert names == ("shop", "Deployment", "web", "web-5d8f7c9b6-x7k2p", "CREATE")
    reported = [(d["container"], d["decision"], d["reason"], d["filter"]) for d in row["decisions"]]
    assert reported == [
        ("c0", "swap", "policy-always", None),
        ("c1", "keep", "filtered", "source.filters[0]"),
        ("volumes/model", "swap", "policy-always", None),
    ]
    assert (row["swapped"], row["kept"]) == (2, 1)
    assert row["pod"]["metadata"]["labels"]["app"] == "web"
    assert row["pod"]["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert row["pod"]["spec"]["containers"][0]["resources"] == {"limits": {"memory": "1Gi"}}
    assert row["pod"]["spec"]["volumes"] == [
        {"name": "model", "image": {"reference": "quay.io/models/llm:1"}},
        {"name": "host"},
    ]


def test_repeated_oversized_and_dry_run_reviews_are_not_sampled(
    tmp_path: Path, database_template: DatabaseTemplate, target: MemoryRegistry
) -> None:
    large = pod_of("nginx:1", **owned_by("large"))
    large["metadata"]["labels"]["long"] = "x" * (3 << 20)
    nul = pod_of("nginx:1", **owned_by("nul"))
    nul["metadata"]["labels"]["odd"] = "\0"
    deep: Any = {}
    for _ in range(200):
        deep = {"deeper": deep}
    nested = pod_of("nginx:1", **owned_by("nested"))
    nested["spec"]["securityContext"] = deep
    skipped = pod_of("nginx:1", **owned_by("skipped"), annotations={"k8s-image-swapper/skip": "true"})
    old = pod_of("nginx:1", **owned_by("old"))

    with stopped_after(tmp_path, database_template, target) as (webhook, rows):
        for _ in range(3):
            webhook.admit(pod_of("nginx:1", **owned_by("web")), namespace="shop")
        webhook.admit(pod_of("nginx:1", **owned_by("dry")), namespace="shop", dryRun=True)
        webhook.admit(old, operation="UPDATE", old=old)
        for pod in (large, nul, nested, skipped):
            assert webhook.admit(pod, namespace="shop").allowed

    assert [row["workload"] for row in rows] == ["web", "nested", "skipped"]
    assert rows[2]["pod"]["metadata"]["annotations"] == {"k8s-image-swapper/skip": "true"}
    assert rows[2]["decisions"][0]["reason"] == "opted-out"


def test_sampling_of_a_burst_of_new_workloads_is_limited(
    tmp_path: Path, database_template: DatabaseTemplate, target: MemoryRegistry
) -> None:
    with stopped_after(tmp_path, database_template, target) as (webhook, rows):
        for number in range(200):
            webhook.admit(pod_of("nginx:1", **owned_by(f"app-{number}")), namespace="shop")
        assert isinstance(webhook, Webhook)

    assert 1 <= len(rows) < 100
