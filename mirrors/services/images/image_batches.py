"""Requests of users for copies of many images by name, with a result for each image and few statements per batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from mirrors.images import ImageRef
from mirrors.models import MirrorJob, Registry
from mirrors.selectors.queries.batches import batched
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.jobs import ROWS_PER_TRANSACTION
from mirrors.services.jobs.mirroring import active_target, refusals, request_images
from mirrors.services.jobs.refused_actions import ActionRefusedError
from mirrors.services.jobs.requested_copy import RequestOutcome

FIRST_IMAGES = 100
"""Images of the first transaction. It is small, so that workers start while the other images are requested."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image as a user wrote it, with its reference, or the reason why it is not a valid one."""

    name: str
    source: ImageRef | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The result of one entry: its active job, or ``code`` and ``error``."""

    image: str
    """The image as the user wrote it."""
    source: str = ""
    mapping: int | None = None
    job: int | None = None
    is_new: bool = False
    code: str = ""
    """``invalid``, ``job-state``, or empty."""
    error: str = ""


def request_image(*, image: str, requested_by: str, allowed_hosts: Sequence[str] = ()) -> tuple[MirrorJob, bool]:
    """Return the job that mirrors an image now, and whether it is new. Raises InvalidReferenceError, or
    ActionRefusedError if the image cannot be mirrored."""
    named = NamedImage(image, ImageRef.parse(image))
    (result,) = request_batch(images=[named], requested_by=requested_by, allowed_hosts=allowed_hosts)
    if result.job is None:
        raise ActionRefusedError(result.error)
    return MirrorJob.objects.select_related("mapping").get(id=result.job), result.is_new


def request_batch(
    *, images: Sequence[NamedImage], requested_by: str, allowed_hosts: Sequence[str] = ()
) -> list[ImageResult]:
    """Request copies of images; the results are in their order. Raises ActionRefusedError if there is no target."""
    target = active_target()
    refusal_of = refusals(target, allowed_hosts)
    named = {image.source for image in images if image.source is not None}
    refused = {source: refusal for source in named if (refusal := refusal_of(source))}
    accepted = sorted(named - refused.keys(), key=str)
    outcomes: dict[str, RequestOutcome] = {}
    for batch in _batches(accepted):
        outcomes |= _request(target, batch, requested_by)
    return [_result(image, refused, outcomes) for image in images]


def _batches(sources: Sequence[ImageRef]) -> Iterator[Sequence[ImageRef]]:
    if sources:
        yield sources[:FIRST_IMAGES]
    yield from batched(sources[FIRST_IMAGES:], ROWS_PER_TRANSACTION)


def _request(target: Registry, sources: Sequence[ImageRef], requested_by: str) -> dict[str, RequestOutcome]:
    """Request copies and record the user's activity in one transaction."""
    with transaction.atomic():
        outcomes = request_images(target=target, sources=sources, requested_by=requested_by)
        new = [Subject(outcome.source, outcome.mapping_id, outcome.job_id) for outcome in outcomes if outcome.is_new]
        record_actions(actor=requested_by, action="mirror", subjects=new)
    return {outcome.source: outcome for outcome in outcomes}


def _result(image: NamedImage, refused: dict[ImageRef, str], outcomes: dict[str, RequestOutcome]) -> ImageResult:
    if image.source is None:
        return ImageResult(image.name, code="invalid", error=image.error)
    source = str(image.source)
    if refusal := refused.get(image.source):
        return ImageResult(image.name, source, code="job-state", error=f"{source} can't be mirrored: {refusal}")
    outcome = outcomes[source]
    if outcome.job_id is None:
        message = f"{source} can't be mirrored now: {outcome.refusal}."
        return ImageResult(image.name, source, outcome.mapping_id, code="job-state", error=message)
    return ImageResult(image.name, source, outcome.mapping_id, outcome.job_id, outcome.is_new)
