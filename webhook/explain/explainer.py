"""Explains what the webhook would do with a pod, image by image, by means of the webhook's own decisions.

Command, page and API share this code. It does not write, request or count anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import Error

from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.kubernetes.objects.pod_manifests import PodManifest
from mirrors.selectors.images.last_errors import LastError, last_errors
from mirrors.vocabulary.reasons import REASON_MEANING, Reason
from swapper_project import config as configuration
from swapper_project.config import ConfigError
from swapper_project.process import configured
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.review.admission_review import AdmissionRequest, creation_of
from webhook.runtime.runtime import Runtime, observer

EXPLAIN_SECONDS: Final = 10.0
"""The maximum time in seconds that an explanation waits for registries and database, for all pods together."""

ROWS_TIMEOUT: Final = 2.0
"""The maximum time in seconds that an explanation waits for operators' rows, which usually takes milliseconds."""

MIRRORABLE_REASONS: Final = frozenset({Reason.ABSENT, Reason.UNKNOWN})
"""Reasons that no longer apply once the image is mirrored."""


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """One image of a pod. ``would`` is the reason that would apply without dry run and kill switch."""

    container: str
    image: str
    decision: str
    reason: str
    meaning: str
    would: str | None
    would_meaning: str
    target: str | None
    existence: str | None
    access: str | None
    filter: str | None
    last_error: LastError | None = None
    """The error of the last copy, if it failed."""

    @property
    def can_be_mirrored(self) -> bool:
        """Whether a copy of the image would allow a swap."""
        return self.target is not None and (self.would or self.reason) in MIRRORABLE_REASONS


@dataclass(frozen=True, slots=True)
class ExplainedPod:
    """A pod, and the JSON patch (RFC 6902) of the webhook's response. ``denied`` is the reason why the pod would not be
    admitted; empty if it would be."""

    object: str
    namespace: str
    images: Sequence[ExplainedImage]
    patch: Sequence[dict[str, Any]]
    warnings: Sequence[str]
    denied: str


def explain(
    runtime: Runtime, pods: Sequence[PodManifest], *, seconds: float = EXPLAIN_SECONDS
) -> Iterator[ExplainedPod]:
    """Explain each pod as if it were created now."""
    deadline = time.monotonic() + seconds
    # A runtime that has just started has not loaded operators' filters yet. Without a database it never loads them.
    runtime.database.has_rows.wait(min(seconds, ROWS_TIMEOUT))
    for pod in pods:
        limits = ReviewLimits(deadline=deadline, namespace=pod.namespace, can_record=False)
        outcome = runtime.reviewer.review(_creation(pod), limits)
        yield ExplainedPod(
            object=pod.title,
            namespace=pod.namespace,
            images=_images(outcome.decisions),
            patch=outcome.patch,
            warnings=outcome.warnings,
            denied=outcome.denied,
        )


def explain_live(pods: Sequence[PodManifest], *, seconds: float = EXPLAIN_SECONDS) -> list[ExplainedPod]:
    """Explain pods by means of this process's observer. Raises ConfigError if there is no usable configuration."""
    environment = settings.ENVIRONMENT
    if configuration.find(str(environment.config) if environment.config else None) is None:
        raise ConfigError([configured.MISSING])
    return list(explain(observer(), pods, seconds=seconds))


def _creation(pod: PodManifest) -> AdmissionRequest:
    return creation_of(pod.pod, namespace=pod.namespace, name=pod.title, uid="explain")


def _images(decisions: Sequence[Decision]) -> list[ExplainedImage]:
    errors = _last_errors({d.key for d in decisions if d.key and not d.swap})
    return [_image(d, errors.get((d.key, str(d.target)))) for d in decisions]


def _last_errors(sources: set[str]) -> dict[tuple[str, str], LastError]:
    """Return the errors of the last copies; empty if the database is unavailable."""
    try:
        return last_errors(sources=sources) if sources else {}
    except Error:
        return {}


def _meaning(d: Decision) -> str:
    """Return the meaning of the decision's reason; for an invalid reference, with the error."""
    meaning = REASON_MEANING[d.reason]
    if d.reason is Reason.INVALID_REFERENCE:
        try:
            ImageRef.parse(d.slot.image)
        except InvalidReferenceError as error:
            return f"{meaning}: {error}"
    return meaning


def _image(d: Decision, last_error: LastError | None) -> ExplainedImage:
    return ExplainedImage(
        container=d.slot.label,
        image=d.slot.image,
        decision="swap" if d.swap else "keep",
        reason=d.reason.value,
        meaning=_meaning(d),
        would=d.would.value if d.would else None,
        would_meaning=REASON_MEANING[d.would] if d.would else "",
        target=str(d.target) if d.target else None,
        existence=d.facts.existence if d.facts else None,
        access=d.facts.access if d.facts else None,
        filter=d.filter or None,
        last_error=last_error if not d.swap else None,
    )
