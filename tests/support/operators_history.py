"""The history of a realistic installation: decisions, uses and samples of the webhooks, and actions of users."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product

from mirrors.models import (
    AdmissionSample,
    DecisionCount,
    Filter,
    HostBudget,
    ImageMapping,
    ImageUse,
    Instance,
    MappingAccess,
    OperatorAction,
    Registry,
    RegistryCheck,
    TargetRepository,
)
from tests.support.operators_words import DECISIONS, FILTERS, IMAGES, KINDS, NAMESPACES, PRIVATE

DAYS = 30


def write_history(
    noise: random.Random,
    now: datetime,
    *,
    mappings: Sequence[ImageMapping],
    mirrored: Sequence[ImageMapping],
    target: Registry,
) -> None:
    _filters()
    _decisions(noise, now)
    _uses(noise, now, mappings)
    _accesses(now, mirrored)
    _samples(noise, now, mappings)
    _surroundings(now, target, mirrored)
    _actions(now, mappings)


def _filters() -> None:
    for name, jmespath, position, enabled in FILTERS:
        Filter.objects.create(name=name, jmespath=jmespath, position=position, enabled=enabled)


def _decisions(noise: random.Random, now: datetime) -> None:
    """Write decisions for every hour, with more by day than by night. Coverage grows from about 60 to about 95 %."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    rows = []
    for ago, decided in product(reversed(range(DAYS * 24)), DECISIONS):
        hour = this_hour - timedelta(hours=ago)
        decision, reason, of_hundred = decided
        grown = 1 - ago / (DAYS * 24)
        weight = of_hundred if reason != "absent" else of_hundred + 45 * (1 - grown)
        busy = 3 if 7 <= hour.hour < 19 else 1
        for host in noise.sample(sorted(IMAGES), 2):
            rows.append(
                DecisionCount(
                    hour=hour,
                    namespace=noise.choice(NAMESPACES),
                    source_host=host,
                    decision=decision,
                    reason=reason,
                    filter=FILTERS[0][0] if reason == "filtered" else "",
                    first_seen=reason == "absent" and hour.hour % 2 == 0,
                    images=max(1, round(weight * busy * noise.uniform(0.08, 0.12))),
                )
            )
    DecisionCount.objects.bulk_create(rows, batch_size=2_000)


def _uses(noise: random.Random, now: datetime, mappings: Sequence[ImageMapping]) -> None:
    rows = []
    for mapping in mappings:
        for namespace in noise.sample(NAMESPACES, noise.choice((1, 1, 2, 3, 5))):
            workload = f"{mapping.source.rpartition(':')[0].rpartition('/')[2]}-{namespace}"[:60]
            rows.append(
                ImageUse(
                    mapping=mapping,
                    namespace=namespace,
                    workload_kind=noise.choice(KINDS),
                    workload=workload,
                    first_seen_at=mapping.created_at,
                    last_seen_at=max(mapping.created_at, now - timedelta(hours=noise.expovariate(1 / 12))),
                )
            )
    ImageUse.objects.bulk_create(rows, batch_size=2_000)


def _accesses(now: datetime, mirrored: Sequence[ImageMapping]) -> None:
    private = [mapping for mapping in mirrored if mapping.source.startswith(f"{PRIVATE}/")]
    MappingAccess.objects.bulk_create(
        MappingAccess(mapping=mapping, namespace=namespace, granted=namespace != "sandbox", checked_at=now)
        for mapping in private
        for namespace in (*NAMESPACES[:3], "sandbox")
    )


def _samples(noise: random.Random, now: datetime, mappings: Sequence[ImageMapping]) -> None:
    for index in reversed(range(60)):
        mapping, namespace = noise.choice(mappings), noise.choice(NAMESPACES)
        is_swapped = mapping.existence == "present"
        container = {"name": "main", "image": mapping.source}
        decided = {
            "container": "main",
            "image": mapping.source,
            "decision": "swap" if is_swapped else "keep",
            "reason": "present" if is_swapped else "absent",
            "would": "",
            "target": mapping.target,
            "filter": "",
        }
        name = f"{namespace}-{noise.getrandbits(40):x}"
        AdmissionSample.objects.create(
            uid=f"{noise.getrandbits(128):032x}",
            namespace=namespace,
            pod_name=name,
            workload_kind="Deployment",
            workload=namespace,
            operation="CREATE",
            pod={"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": [container]}},
            decisions=[decided],
            swapped=int(is_swapped),
            kept=int(not is_swapped),
            created_at=now - timedelta(minutes=7 * index),
        )


def _surroundings(now: datetime, target: Registry, mirrored: Sequence[ImageMapping]) -> None:
    """Write pull limits, repositories, checks and running processes."""
    resting = now + timedelta(minutes=12)
    HostBudget.objects.create(host="docker.io", operation="pulls", resting_until=resting, remaining=37)
    HostBudget.objects.create(host="ghcr.io", operation="pulls", remaining=4_800)
    names = sorted({mapping.target.partition("/")[2].rpartition(":")[0] for mapping in mirrored})
    for index, name in enumerate(names):
        differs = index in (3, 11)
        difference = {"setting": "imageTagMutability", "wanted": "MUTABLE", "found": "IMMUTABLE", "problem": ""}
        TargetRepository.objects.create(
            registry=target,
            name=name,
            facts={"imageTagMutability": "IMMUTABLE" if differs else "MUTABLE"},
            differences=[difference] if differs else [],
            has_differences=differs,
        )
    steps = [
        {"name": name, "status": "ok", "words": words, "seconds": 0.04}
        for name, words in (("name", "resolves to 203.0.113.7"), ("TLS", "trusted"), ("authentication", "works"))
    ]
    for registry in Registry.objects.all():
        RegistryCheck.objects.create(
            registry=registry, status="passed", steps=steps, requested_by="olga", started_at=now, finished_at=now
        )
    facts = {
        "dry_run": False,
        "switched_off": False,
        "problem": "",
        "target": target.endpoint,
        "certificate_expires_at": (now + timedelta(days=61)).isoformat(),
    }
    for role, name, known in (("webhook", "swapper-0", facts), ("webhook", "swapper-1", facts), ("worker", "w-0", {})):
        Instance.objects.create(role=role, name=name, facts=known, started_at=now - timedelta(days=3))


def _actions(now: datetime, mappings: Sequence[ImageMapping]) -> None:
    for index, (actor, action) in enumerate(product(("olga", "otto"), ("retry", "verify", "pause", "cancel"))):
        mapping = mappings[-1 - index]
        OperatorAction.objects.create(
            actor=actor,
            action=action,
            subject=mapping.source,
            mapping=mapping,
            job_id=mapping.last_job_id,
            created_at=now - timedelta(hours=3 * index + 1),
        )
