"""Mirrors the images that a drill found missing, at a user's request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mirrors.images import ImageRef
from mirrors.models import Registry, Trigger
from mirrors.readiness import recent
from mirrors.readiness.drill_results import Drill
from mirrors.readiness.gaps import MIRRORABLE
from mirrors.selectors.queries.batches import batched
from mirrors.services import RequestedCopy, active_target, refusal_of, request_copies
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.vocabulary.clusters import ClusterNamespace
from swapper_project.config import Config

MOST_MIRRORED_AT_ONCE: Final = 2_000
"""The maximum number of images that one HTTP request mirrors, so that it ends before a proxy's timeout."""

COPIES_PER_TRANSACTION: Final = 200
"""The maximum number of copies that are requested in one transaction, so that it does not hold its locks for long."""


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """The number of created jobs (``created``) and of images that already had an active job, and why others were
    refused."""

    created: int
    active: int
    refusals: tuple[str, ...]
    remaining: int = 0
    """The number of images beyond the limit of one request."""


def to_mirror(drill: Drill, namespace: str = "") -> dict[str, str]:
    """Return the images that a copy would protect, each with one namespace that runs it, whose pull secrets may be
    needed."""
    images: dict[str, str] = {}
    for row in drill.missing_of(namespace=namespace):
        if row.gap in MIRRORABLE:
            images.setdefault(row.source, row.workload.namespace)
    return images


def mirror_missing(drill: Drill, config: Config, *, requested_by: str, namespace: str = "") -> MirrorResult:
    """Request copies of the missing images. Raises ActionRefusedError if there is no target."""
    images = to_mirror(drill, namespace)
    selected = sorted(images.items())[:MOST_MIRRORED_AT_ONCE]
    target = active_target()
    created = active = 0
    refusals: list[str] = []
    copies: list[RequestedCopy] = []
    for source, image_namespace in selected:
        reference = ImageRef.parse(source)
        if refusal := refusal_of(reference, target, config.source.allowed_hosts):
            refusals.append(f"{source}: {refusal}")
        else:
            copies.append(_request(reference, target, requested_by, ClusterNamespace(drill.cluster, image_namespace)))
    for batch in batched(copies, COPIES_PER_TRANSACTION):
        counts = _request_all(target, batch, requested_by, refusals)
        created, active = created + counts[0], active + counts[1]
    recent.forget()
    return MirrorResult(created, active, tuple(refusals), remaining=len(images) - len(selected))


def _request(source: ImageRef, target: Registry, requested_by: str, requester: ClusterNamespace) -> RequestedCopy:
    name = str(target.target_name.retarget(source))
    return RequestedCopy.of_user(
        str(source),
        name,
        trigger=Trigger.OPERATOR,
        requested_by=requested_by,
        namespace=requester.namespace,
        cluster=requester.cluster,
    )


def _request_all(
    target: Registry, copies: Sequence[RequestedCopy], requested_by: str, refusals: list[str]
) -> tuple[int, int]:
    """Request the copies. Returns the numbers of created jobs and of jobs that were already active."""
    outcomes = request_copies(target_registry_id=target.id, requests=copies)
    refusals += [f"{outcome.source}: {outcome.refusal}" for outcome in outcomes if outcome.job_id is None]
    new = [outcome for outcome in outcomes if outcome.is_new]
    subjects = [Subject(o.source, o.mapping_id, o.job_id, "readiness") for o in new]
    record_actions(actor=requested_by, action="mirror", subjects=subjects)
    return len(new), sum(outcome.job_id is not None for outcome in outcomes) - len(new)
