"""Activity of users, which is recorded in the transaction of each action."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mirrors.models import OperatorAction
from swapper_project.process.current_request import token_name


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of an action, such as an image or a repository, with the IDs of its mapping and job."""

    name: str
    mapping_id: int | None = None
    job_id: int | None = None
    details: str = ""


def record_actions(*, actor: str, action: str, subjects: Iterable[Subject]) -> None:
    """Record one row per subject, which is kept when the subject is deleted, with the API token of the request."""
    OperatorAction.objects.bulk_create(
        [
            OperatorAction(
                actor=actor[:255],
                token=token_name()[:200],
                action=action,
                subject=subject.name,
                mapping_id=subject.mapping_id,
                job_id=subject.job_id,
                details=subject.details[:500],
            )
            for subject in subjects
        ],
        batch_size=500,
    )
