"""The meaning of a failure for its job: try again, and when; or give up, and what to show to the operator."""

from __future__ import annotations

import random
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mirrors.jobs.limits.pull_limits import RECHECK_SECONDS
from mirrors.jobs.queue.leases import Lease
from mirrors.jobs.timing import timing
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.models import ErrorClass
from mirrors.oci import RegistryError
from mirrors.registries.credentials import CredentialError
from mirrors.vocabulary.bounds import pause_of

MOST_DOUBLINGS: Final = 30
"""Doublings of the back-off before it stops growing: any cap is reached by then, and the number fits in a float."""


class JobRefusedError(Exception):
    """The job can't be done as things are configured; the message says what to change, so no other step is shown."""

    permanent = True

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        grants: Mapping[str, bool] | None = None,
        *,
        is_unreadable: bool = False,
        host: str = "",
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.grants = grants or {}
        self.host = host
        """The registry that the refusal is about."""
        self.is_unreadable = is_unreadable
        """Whether nobody was seen to read this image at its source."""


class FewPullsError(Exception):
    """The source allows few more pulls, and those are for copies that pods wait for."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} allows few more pulls, which are reserved for copies that pods wait for (pullReserve): this copy "
            "waits. Configure credentials for the registry, or credentials with a higher limit."
        )
        self.host = host


@dataclass(frozen=True, slots=True)
class Failure:
    """``retry_after`` is how many seconds ``host`` asked us to wait. ``details`` go into the attempt's log alone."""

    error_class: str
    message: str
    permanent: bool
    host: str = ""
    retry_after: float | None = None
    details: str = ""
    grants: Mapping[str, bool] = field(default_factory=dict)
    """What was learnt of namespaces on the way: whether their own pull secrets read the source."""
    is_unreadable: bool = False
    says_step: bool = False
    """Whether the message itself says what to do next."""
    wait: float | None = None
    """For how many seconds this job waits though nothing failed; no other job does."""

    @property
    def pause(self) -> float | None:
        """For how many seconds no job may talk to ``host``; None: it did not ask for that."""
        if self.permanent or not self.host or self.wait is not None:
            return None
        if self.retry_after is not None:
            return pause_of(self.retry_after)
        return timing().rate_limit_pause if self.error_class == ErrorClass.RATE_LIMITED else None


def classify_failure(error: Exception) -> Failure:
    """Any exception of a copy as a failure. What nobody foresaw is taken for passing, with its traceback."""
    match error:
        case RegistryError():
            return _of_registry(error)
        case JobRefusedError():
            return _of_refusal(error)
        case FewPullsError():
            return _of_few_pulls(error)
        case ClusterError():
            return Failure(ErrorClass.UNAVAILABLE, str(error), permanent=False, says_step=error.says_step)
        case CredentialError(host=host, says_step=says_step):
            return Failure(ErrorClass.CREDENTIAL, str(error), permanent=False, host=host, says_step=says_step)
    return Failure(
        ErrorClass.INTERNAL,
        f"An unexpected error stopped the copy ({type(error).__name__}); the attempt's log has its traceback.",
        permanent=False,
        details="".join(traceback.format_exception(error)),
    )


def _of_registry(error: RegistryError) -> Failure:
    return Failure(error.code, str(error), error.permanent, error.host, error.retry_after, says_step=error.says_step)


def _of_refusal(error: JobRefusedError) -> Failure:
    return Failure(
        error.error_class,
        str(error),
        permanent=True,
        host=error.host,
        grants=error.grants,
        is_unreadable=error.is_unreadable,
        says_step=True,
    )


def _of_few_pulls(error: FewPullsError) -> Failure:
    return Failure(
        ErrorClass.RATE_LIMITED,
        str(error),
        permanent=False,
        host=error.host,
        says_step=True,
        wait=RECHECK_SECONDS,
    )


def is_postponed(lease: Lease, failure: Failure) -> bool:
    """Whether the job only has to wait for a host that asked for it: its image was not refused."""
    return (failure.pause is not None or failure.wait is not None) and lease.may_wait


def delay_after(lease: Lease, failure: Failure) -> float:
    """Seconds until the next attempt: doubled each time up to a cap, jittered, never before the host's pause ends."""
    limits = timing()
    # A postponed job counts no attempts: its claims keep it from asking a host over and over.
    tries = lease.number if is_postponed(lease, failure) else lease.attempts
    backoff = min(limits.retry_cap, limits.retry_base * 2 ** min(tries - 1, MOST_DOUBLINGS))
    jittered: float = backoff * random.uniform(0.5, 1.0)
    return max(jittered, failure.pause or 0.0, failure.wait or 0.0)
