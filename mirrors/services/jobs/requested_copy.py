"""The request for a copy, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mirrors.models import DEFAULT_CLUSTER, ImageMapping, Priority, Trigger

UNATTENDED: Final = frozenset({Trigger.ADMISSION, Trigger.REFRESH, Trigger.BACKFILL})
"""Triggers of automatic requests, which no user made."""

PROBLEMS: Final = {
    "target-name-taken": "another image already has its name at the target; see the mappings in the admin",
    "paused": "its mapping is paused; resume it first",
    "failed-recently": "its last copy failed a short time ago; see the error of the job, then try again later",
}
"""Texts for users that explain ``RequestOutcome.problem``."""


@dataclass(frozen=True, slots=True)
class RequestedCopy:
    """A request to mirror one image. References are canonical."""

    source: str
    target: str
    trigger: str = Trigger.ADMISSION
    priority: int = Priority.DELAYED
    requested_by: str = ""
    namespace: str = ""
    cluster: str = DEFAULT_CLUSTER
    """The cluster of the namespace. Empty without a namespace, because users request copies for no cluster."""
    service_account: str = ""
    secret_names: tuple[str, ...] = ()
    workload: str = ""

    @classmethod
    def of_user(
        cls, source: str, target: str, *, trigger: str, requested_by: str, namespace: str = "", cluster: str = ""
    ) -> RequestedCopy:
        """Return a request that a user made and waits for."""
        return cls(source, target, trigger, Priority.OPERATOR, requested_by, namespace, cluster)

    @classmethod
    def of_mapping(
        cls, mapping: ImageMapping, *, trigger: str, requested_by: str, namespace: str = "", cluster: str = ""
    ) -> RequestedCopy:
        """Return a request that a user made for the image of a mapping."""
        return cls.of_user(
            mapping.source,
            mapping.target,
            trigger=trigger,
            requested_by=requested_by,
            namespace=namespace,
            cluster=cluster,
        )


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The result of a request: the active job, or the reason why there is none."""

    source: str
    mapping_id: int | None = None
    job_id: int | None = None
    problem: str = ""
    """``target-name-taken``, ``paused``, ``failed-recently``, ``quota``, or empty."""
    is_new: bool = False
    """Whether a user's request created the job. False for requests of pods, whose jobs are inserted in bulk."""

    @property
    def refusal(self) -> str:
        """The problem as a text for users; empty if there is a job."""
        return PROBLEMS.get(self.problem, self.problem)
