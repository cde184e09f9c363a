"""``make bench-readiness``: CPU and memory of the fire drill for a large cluster, in a separate database."""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from typing import Any

from benchmarks.filled import TARGET, measure_beside_rows

WORKLOADS, ROWS_OF_EACH, MAPPINGS = 10_000, 5, 20_000
NAMESPACES, PRIVATE_EACH = 200, 20
"""One mapping in twenty is private."""


def main() -> int:
    return measure_beside_rows("benchmarks.readiness", __doc__, _print_measured, rounds=3)


def _print_measured() -> None:
    print(json.dumps(_measured()), flush=True)


def fill() -> None:
    """Write rows like those of the watcher and the workers, the same ones each time."""
    from django.utils import timezone

    from mirrors.models import Cluster, ClusterNode, ImageMapping, MappingAccess, Registry, RunningImage

    chosen = random.Random(1)
    now = timezone.now()
    target = Registry.objects.get(role="target")
    mappings = [_mapping(number, target.pk, now) for number in range(MAPPINGS)]
    ImageMapping.objects.bulk_create([ImageMapping(**fields) for fields in mappings], batch_size=2_000)
    private = ImageMapping.objects.filter(access="secrets").values_list("pk", flat=True)
    grants = [MappingAccess(mapping_id=pk, namespace=f"team-{n}", granted=True) for pk in private for n in range(5)]
    MappingAccess.objects.bulk_create(grants, batch_size=2_000)
    Cluster.objects.create(name="default", platforms=["linux/amd64", "linux/arm64"], listed_at=now)
    ClusterNode.objects.create(cluster="default", name="node-1", pulled_at=now)
    # A tenth of the images have no mapping.
    images = [RunningImage(**row_of(chosen.randrange(MAPPINGS + 2_000), number)) for number in range(_rows())]
    RunningImage.objects.bulk_create(images, batch_size=2_000)


def _rows() -> int:
    return WORKLOADS * ROWS_OF_EACH


def _source(number: int) -> str:
    return f"{'docker.io' if number % 3 else 'ghcr.io'}/team-{number % 500}/app-{number}:1.{number}"


def _mapping(number: int, target_id: int, now: Any) -> dict[str, Any]:
    digest = f"sha256:{number:064x}"
    return {
        "source": _source(number),
        "target": f"{TARGET}/{_source(number)}",
        "target_registry_id": target_id,
        "source_digest": digest,
        "target_digest": digest,
        "platforms": ["linux/amd64", "linux/arm64/v8"] if number % 2 else [],
        "manifests": [f"sha256:{number:060x}{place:04x}" for place in range(8)] if number % 2 else [],
        "existence": "present" if number % 50 else "absent",
        "access": "anonymous" if number % PRIVATE_EACH else "secrets",
        "verified_at": now,
        "source_checked_at": now,
    }


def row_of(image: int, row: int) -> dict[str, Any]:
    """Return the fields of a running image."""
    workload = row // ROWS_OF_EACH
    digest = f"sha256:{image + (row % 40 == 0):064x}"
    return {
        "cluster": "default",
        "key": f"{row:040x}",
        "namespace": f"team-{workload % NAMESPACES}",
        "workload_kind": "Deployment",
        "workload": f"app-{workload}",
        "source": _source(image),
        "image": _source(image),
        "digest": digest,
        "pods": 3,
        "state": "running",
    }


def _measured() -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "swapper_project.settings")
    import django

    django.setup()
    from mirrors.readiness.drill import DrillRequest, run_drill
    from swapper_project.process import configured

    source = configured.source()
    assert source is not None
    before, started, cpu = peak_mib(), time.monotonic(), time.process_time()
    drill = run_drill(DrillRequest("default"), source.current)
    return {
        "workloads": drill.total.workloads,
        "unprotected": drill.total.unprotected,
        "missing": len(drill.missing),
        "drift": len(drill.drift),
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "mib_before": before,
        "mib_peak": peak_mib(),
    }


def peak_mib() -> int:
    """Return the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    sys.exit(main())
