"""The results of a drill: shares of protected workloads, gaps, and digest drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mirrors.models.clusters.readiness import percent_protected
from mirrors.readiness.gaps import GAP_MEANING, NEXT_STEP, Gap
from mirrors.vocabulary.kept_reasons import NEXT_STEPS


class WorkloadKey(NamedTuple):
    """A workload of a cluster. Pods without an owner have the kind Pod and their own name."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Missing(NamedTuple):
    """An image of a workload that is not protected."""

    workload: WorkloadKey
    source: str
    image: str
    gap: Gap
    details: str = ""
    mapping_id: int | None = None
    kept: str = ""
    """The reason why the webhook keeps the source, if that is the gap."""

    @property
    def meaning(self) -> str:
        meaning = GAP_MEANING[self.gap]
        return f"{meaning}: {self.details}" if self.details else meaning

    @property
    def next_step(self) -> str:
        return NEXT_STEPS.get(self.kept) or NEXT_STEP[self.gap]

    def as_json(self) -> dict[str, Any]:
        return {
            **self.workload._asdict(),
            "source": self.source,
            "image": self.image,
            "reason": self.gap.value,
            "meaning": self.meaning,
            "next_step": self.next_step,
            "kept": self.kept,
            "mapping": self.mapping_id,
        }


class Drift(NamedTuple):
    """An image that runs with another digest than its mirror has."""

    workload: WorkloadKey
    source: str
    running_digest: str
    source_digest: str
    """The source's digest at the last comparison of source and target; empty if they were never compared."""
    target_digest: str
    mapping_id: int

    def as_json(self) -> dict[str, Any]:
        return {
            **self.workload._asdict(),
            "source": self.source,
            "running_digest": self.running_digest,
            "source_digest": self.source_digest,
            "target_digest": self.target_digest,
            "mapping": self.mapping_id,
        }


class UnprotectedShare(NamedTuple):
    """The number of workloads, and how many of them are unprotected."""

    workloads: int
    unprotected: int

    @property
    def protected(self) -> int:
        return self.workloads - self.unprotected

    @property
    def percent(self) -> float | None:
        """The percentage of protected workloads. 100 only if all are protected; None without workloads."""
        return percent_protected(self.workloads, self.unprotected)

    def as_json(self) -> dict[str, Any]:
        return {"workloads": self.workloads, "unprotected": self.unprotected, "percent": self.percent}


@dataclass(frozen=True, slots=True)
class Drill:
    """The result of a drill. ``without`` is the registry that is assumed to be unreachable; empty: all sources."""

    cluster: str
    without: str
    taken_at: float
    """Unix seconds."""
    total: UnprotectedShare
    namespaces: Mapping[str, UnprotectedShare]
    missing: tuple[Missing, ...]
    drift: tuple[Drift, ...]
    registries: tuple[str, ...]
    """The registries of the running images' sources."""
    clusters: tuple[str, ...]
    """The names of all clusters that have been listed."""
    notices: tuple[str, ...] = ()
    """Messages about missing information and assumptions of the result."""

    @property
    def gaps(self) -> dict[Gap, int]:
        """The number of unprotected images of workloads by reason, the most frequent reason first."""
        return dict(Counter(row.gap for row in self.missing).most_common())

    def missing_of(self, *, namespace: str = "", gap: str = "") -> Iterator[Missing]:
        """Yield the unprotected images, filtered by namespace and reason if given."""
        for row in self.missing:
            if namespace in ("", row.workload.namespace) and gap in ("", row.gap):
                yield row

    def as_json(self) -> dict[str, Any]:
        return {
            "cluster": self.cluster,
            "without": self.without,
            **self.total.as_json(),
            "namespaces": [{"namespace": name, **share.as_json()} for name, share in self.namespaces.items()],
            "reasons": {gap.value: images for gap, images in self.gaps.items()},
            "notices": list(self.notices),
        }
