"""Amazon ECR as the target: repositories are created at the first use, and compared with the configuration."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mirrors.images.cloud_hosts import ecr_arn
from mirrors.oci import RegistryAccess, RegistryError
from mirrors.registries.aws import repository_settings
from mirrors.registries.aws.accounts import AwsAccount
from mirrors.registries.aws.login import log_in
from mirrors.registries.aws.repositories import Repositories
from mirrors.registries.registry_driver import RepositoryState
from swapper_project.config import AwsTarget

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import RepositoryTypeDef

ECR_CHECK_INTERVAL: Final = 3_600.0
"""Seconds for which a repository is not read again."""

RULES_EVERY: Final = 600.0
"""Seconds for which the registry's pull-through rules are cached; operators change them rarely."""

JUST_MADE: Final = 60.0
"""Age in seconds below which another process may still be setting up a repository."""

A_DAY: Final = 86_400.0
"""Seconds of a day."""

ALL_REPOSITORIES: Final = "ROOT"
"""The prefix of the pull-through rule for all repositories that no other rule covers."""


def account_of(target: AwsTarget, trusted_ca: str | None) -> AwsAccount:
    return AwsAccount(
        region=target.region,
        role=target.role,
        fips=target.hostname.startswith("fips"),
        dual_stack=target.hostname.endswith("dualstack"),
        trusted_ca=trusted_ca,
    )


class EcrDriver:
    """The driver of ``target.aws`` in the configuration. A process has one."""

    def __init__(self, target: AwsTarget, *, trusted_ca: str | None) -> None:
        self._target = target
        self._account = account_of(target, trusted_ca)
        self._repositories = Repositories(target, self._account)
        self._lock = threading.Lock()
        self._repository_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._checked_at: dict[str, float] = {}
        self._unfinished: set[str] = set()
        self._rules_lock = threading.Lock()
        self._rules: frozenset[str] | None = None
        self._rules_expire_at = 0.0

    def access(self) -> RegistryAccess:
        host = self._target.name.endpoint
        return RegistryAccess(
            host=host,
            credentials=(log_in(self._account, host),),
            ca_file=self._target.ca_file,
            private_allowed=True,
            connect_to=self._target.connect_to,
        )

    def ensure_repository(self, repository: str) -> RepositoryState:
        if self._pulls_through(repository):
            return RepositoryState(pulls_through=True)
        with self._lock:
            repository_lock = self._repository_locks[repository]
        with repository_lock:
            if time.monotonic() - self._checked_at.get(repository, -ECR_CHECK_INTERVAL) < ECR_CHECK_INTERVAL:
                return RepositoryState()
            state = self._ensure(repository)
            self._checked_at[repository] = time.monotonic()
            return state

    def apply_settings(self, repository: str) -> RepositoryState:
        described = self._repositories.describe(repository)
        if described is None:
            raise self._missing_error(repository)
        return self._compare(repository, described, apply=True)

    def forget(self, repository: str) -> None:
        self._checked_at.pop(repository, None)

    def _ensure(self, repository: str) -> RepositoryState:
        described = self._repositories.describe(repository)
        is_new = False
        if described is None:
            if not self._target.create_repository:
                raise self._missing_error(repository)
            is_new = self._repositories.create(repository)
            if is_new:
                self._unfinished.add(repository)
        if repository in self._unfinished:
            # If this fails, the job fails, because nodes might not be able to pull without the policy.
            self._repositories.set_up(repository)
            self._unfinished.discard(repository)
        if is_new or described is None or _is_younger(described, JUST_MADE):
            return RepositoryState(is_new=is_new)
        if self._target.access_policy and _is_younger(described, A_DAY):
            self._repair_access_policy(repository, described)
        if self._target.reconcile == "none":
            return RepositoryState()
        return self._compare(repository, described, apply=self._target.reconcile == "apply")

    def _repair_access_policy(self, repository: str, described: RepositoryTypeDef) -> None:
        """Set up a repository without an access policy, because nodes cannot pull from it: another worker may have
        created it and failed to set it up."""
        current = self._repositories.read_settings(repository, described)
        if current.access_policy is None and "accessPolicy" not in current.problems:
            self._repositories.set_up(repository)

    def _compare(self, repository: str, described: RepositoryTypeDef, *, apply: bool) -> RepositoryState:
        current = self._repositories.read_settings(repository, described)
        differences = repository_settings.differences(self._target, current)
        changeable = [difference for difference in differences if not difference.problem]
        if apply and changeable:
            for difference in changeable:
                self._repositories.apply(repository, described["repositoryArn"], difference)
            current = self._repositories.read_settings(repository, self._repositories.describe(repository) or described)
            differences = repository_settings.differences(self._target, current)
        return RepositoryState(differences=differences, facts=current.facts())

    def _pulls_through(self, repository: str) -> bool:
        return any(rule == ALL_REPOSITORIES or repository.startswith(f"{rule}/") for rule in self._current_rules())

    def _current_rules(self) -> frozenset[str]:
        """Return the prefixes of pull-through rules. Threads do not wait for each other: while one requests the rules,
        the others use the last result, or send their own request if there is none."""
        if self._rules is not None and time.monotonic() < self._rules_expire_at:
            return self._rules
        is_first = self._rules_lock.acquire(blocking=False)
        try:
            if is_first or self._rules is None:
                self._rules = self._repositories.pull_through_prefixes()
                self._rules_expire_at = time.monotonic() + RULES_EVERY
            return self._rules
        finally:
            if is_first:
                self._rules_lock.release()

    def _missing_error(self, repository: str) -> RegistryError:
        target = self._target
        return RegistryError(
            "not-found",
            f"the repository {repository} does not exist in {target.name.endpoint}, and createRepository is false: "
            "create it, or set target.aws.createRepository to true and allow ecr:CreateRepository on "
            + ecr_arn(target.account_id, target.region, repository),
            says_step=True,
            host=target.name.endpoint,
        )


def _is_younger(described: RepositoryTypeDef, seconds: float) -> bool:
    created_at = described.get("createdAt")
    return created_at is not None and (datetime.now(UTC) - created_at).total_seconds() < seconds
