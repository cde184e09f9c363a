"""The consequences of an error for its job: whether and when to retry, and the message for operators."""

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
"""The maximum number of times that the delay doubles: any cap is reached by then, and the number fits in a float."""


class JobRefusedError(Exception):
    """The current configuration does not allow the job. The message states what to change, so that no other next step
    is shown."""

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
        """Whether no access to the source could read the image."""


class FewPullsError(Exception):
    """The source allows only a few more pulls, which are reserved for copies that pods wait for."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} allows only a few more pulls, which are reserved for copies that pods wait for (pullReserve): "
            "this copy waits. Configure credentials for the registry, or credentials with a higher limit."
        )
        self.host = host


@dataclass(frozen=True, slots=True)
class Failure:
    """The failure of an attempt. ``retry_after`` is the number of seconds that ``host`` requested to wait. ``details``
    are written only to the attempt's log."""

    error_class: str
    message: str
    permanent: bool
    host: str = ""
    retry_after: float | None = None
    details: str = ""
    grants: Mapping[str, bool] = field(default_factory=dict)
    """By namespace, whether its own pull secrets read the source. Only namespaces that were tried."""
    is_unreadable: bool = False
    says_step: bool = False
    """Whether the message itself contains the next step."""
    wait: float | None = None
    """Seconds that only this job waits, although nothing failed."""

    @property
    def pause(self) -> float | None:
        """The seconds for which no job may send requests to ``host``; None if the host does not limit requests."""
        if self.permanent or not self.host or self.wait is not None:
            return None
        if self.retry_after is not None:
            return pause_of(self.retry_after)
        return timing().rate_limit_pause if self.error_class == ErrorClass.RATE_LIMITED else None


def classify_failure(error: Exception) -> Failure:
    """Return any exception of a copy as a failure. An unexpected exception counts as temporary, and its traceback is
    logged."""
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
    """Return whether the job only waits for a host that limits requests, so that the attempt does not count."""
    return (failure.pause is not None or failure.wait is not None) and lease.may_wait


def delay_after(lease: Lease, failure: Failure) -> float:
    """Return the seconds until the next attempt: doubled each time up to a cap, with jitter, and never before the
    host's pause ends."""
    limits = timing()
    # The attempts of a postponed job do not count, so its claims are used: else the delay would never grow.
    attempt_number = lease.number if is_postponed(lease, failure) else lease.attempts
    backoff = min(limits.retry_cap, limits.retry_base * 2 ** min(attempt_number - 1, MOST_DOUBLINGS))
    jittered: float = backoff * random.uniform(0.5, 1.0)
    return max(jittered, failure.pause or 0.0, failure.wait or 0.0)
