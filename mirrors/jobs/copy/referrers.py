"""Signatures and other referrers of an image that a job has copied: when they are checked, and what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models.functions import Now

from mirrors.jobs.context.worker_context import Stop
from mirrors.jobs.timing import from_now
from mirrors.models import ImageMapping, ReferrersStatus
from mirrors.oci import CopyRequest, CopyResult, Engine, ReferrersResult
from mirrors.oci.common.exchanges import ExchangeLog
from mirrors.vocabulary.bounds import storable
from swapper_project.config import Config

MOST_PROBLEM_CHARACTERS: Final = 2_000
"""The maximum length of the problems of one image in characters. Each problem has about 200."""

UNKNOWN: Final[Mapping[str, Any]] = {
    "signed": None,
    "signers": [],
    "referrers_checked_at": None,
    "referrers_error": "",
}
"""The values for an image that has just replaced another one, and whose signatures were not checked."""


@dataclass(frozen=True, slots=True)
class ReferrersReport:
    """The outcome: ``status``, ``error`` and ``summary`` for the job, and the new values of the mapping
    (``new_values``)."""

    status: str = ReferrersStatus.NOT_CHECKED
    error: str = ""
    summary: str = ""
    new_values: Mapping[str, Any] = field(default_factory=dict)


def copy_referrers(
    engine: Engine,
    config: Config,
    mapping: ImageMapping,
    request: CopyRequest,
    image: CopyResult,
    cancelled: Stop,
    exchanges: ExchangeLog,
) -> ReferrersReport:
    """Copy the referrers, after the image itself. Those of an unchanged image are checked again after ``refreshAge``.
    Raises CopyCancelledError; all other errors are in the report."""
    is_same = image.unchanged and mapping.target_digest == image.target_digest
    if config.referrers == "none":
        return ReferrersReport(new_values={} if is_same else UNKNOWN)
    if is_same and _is_fresh(mapping, config.refresh_age):
        return ReferrersReport()
    return _report(engine.copy_referrers(request, image, config.referrers, cancelled=cancelled, exchanges=exchanges))


def _is_fresh(mapping: ImageMapping, age: float) -> bool:
    return ImageMapping.objects.filter(pk=mapping.pk, referrers_checked_at__gt=from_now(-age)).exists()


def _report(result: ReferrersResult) -> ReferrersReport:
    error = storable("\n".join(result.problems), MOST_PROBLEM_CHARACTERS)
    new_values = {
        "signed": result.is_signed,
        "signers": [storable(name) for name in result.signers],
        # Without a time, the next job of the image tries again.
        "referrers_checked_at": None if error else Now(),
        "referrers_error": error,
    }
    if error:
        summary = f"signatures or other referrers could not be copied: {error}"
        return ReferrersReport(ReferrersStatus.FAILED, error, summary, new_values)
    if not result.found:
        return ReferrersReport(ReferrersStatus.NONE, new_values=new_values)
    summary = f"{result.found} signatures and other referrers are at the target, {result.copied} of them new"
    return ReferrersReport(ReferrersStatus.COPIED, summary=summary, new_values=new_values)
