"""Why nothing read a source, in words: what was tried, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mirrors.cluster.client import ClusterError
from mirrors.cluster.pull_secrets import Found
from mirrors.images import ImageRef
from mirrors.jobs.retry import JobRefusedError
from mirrors.models import ErrorClass


@dataclass(slots=True)
class Tried:
    """What came of the pull secrets of all that asked."""

    grants: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    trouble: ClusterError | None = None

    def note(self, namespace: str, found: Found, *, reads: bool) -> None:
        """A namespace is told off only where all that it has was read."""
        self.problems += [problem for problem in found.problems if problem not in self.problems]
        if reads or (found.is_sure and namespace not in self.grants):
            self.grants[namespace] = reads
        elif not found.is_sure and not self.grants.get(namespace):
            self.grants.pop(namespace, None)
        self.trouble = self.trouble or found.trouble


def refusal(
    source: ImageRef,
    namespaces: Sequence[str],
    tried: Tried,
    *,
    has_log_in: bool,
    serves_others: bool,
    log_in_refused: str = "",
) -> JobRefusedError:
    """``serves_others``: there is a log-in, which serves none of these namespaces. ``log_in_refused`` is what the
    registry said where it did not take it at all."""
    host = source.registry
    notes = [f"{problem}." for problem in tried.problems]
    if log_in_refused:
        words = f"{host} did not take the configured log-in: {log_in_refused}. Mend its user name or password."
        return JobRefusedError(
            ErrorClass.UNAUTHORIZED, " ".join((words, *notes)), tried.grants, is_private=True, host=host
        )
    if serves_others:
        words = (
            f"{source} is not public, and the log-in for {host} serves other namespaces than {', '.join(namespaces)}: "
            "add them to `namespaces` of its entry under source.registries, or give them pull secrets that read it."
        )
        return JobRefusedError(ErrorClass.DENIED, " ".join((words, *notes)), tried.grants, is_private=True, host=host)
    log_ins = "without a log-in or with the configured one" if has_log_in else "without a log-in"
    advice = (
        "check what that log-in may read."
        if has_log_in
        else f"add a log-in for {host} under source.registries, or name a pull secret in the pod that reads it."
    )
    words = f"{host} does not show {source} {log_ins}: check the image's name and tag; if it is private, {advice}"
    return JobRefusedError(ErrorClass.NOT_FOUND, " ".join((words, *notes)), tried.grants, is_private=True, host=host)
