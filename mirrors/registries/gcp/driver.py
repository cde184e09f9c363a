"""Google Artifact Registry as the target: one repository holds all images."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from mirrors.oci import RegistryAccess, RegistryError
from mirrors.registries.gcp.login import log_in
from mirrors.registries.registry_driver import Difference, RepositoryState
from swapper_project.config import GcpTarget

if TYPE_CHECKING:
    from google.cloud.artifactregistry_v1 import Repository

    from mirrors.registries.gcp.repository import ApiRepository

log = structlog.get_logger(__name__)

GAR_CHECK_INTERVAL: Final = 3_600.0
"""Seconds for which the state of the repository is cached; operators change it rarely."""


class GarDriver:
    """The driver of ``target.gcp`` in the configuration. A process has one."""

    def __init__(self, target: GcpTarget, *, trusted_ca: str | None) -> None:
        self._target = target
        self._trusted_ca = trusted_ca
        self._lock = threading.Lock()
        self._checked_at = -GAR_CHECK_INTERVAL
        self._state = RepositoryState()

    def access(self) -> RegistryAccess:
        return RegistryAccess(
            host=self._target.host,
            credentials=(log_in(self._target.host, self._trusted_ca),),
            ca_file=self._target.ca_file,
            private_allowed=True,
            connect_to=self._target.connect_to,
        )

    def ensure_repository(self, repository: str) -> RepositoryState:
        with self._lock:
            if time.monotonic() - self._checked_at >= GAR_CHECK_INTERVAL:
                state = self._ensure()
                self._state = RepositoryState(pulls_through=state.pulls_through)
                self._checked_at = time.monotonic()
                return state
            return self._state

    def apply_settings(self, repository: str) -> RepositoryState:
        api = self._api()
        existing = api.get()
        if existing is not None and self._target.create_repository and self._differences(dict(existing.labels)):
            existing = api.update_labels(existing)
        if existing is None:
            raise self._missing_error(api.name)
        return self._state_of(existing, api.name)

    def forget(self, repository: str) -> None:
        with self._lock:
            self._checked_at = -GAR_CHECK_INTERVAL

    def _api(self) -> ApiRepository:
        # Imported at first use, because the webhook needs only the credentials.
        from mirrors.registries.gcp.repository import ApiRepository

        return ApiRepository(self._target, self._trusted_ca)

    def _ensure(self) -> RepositoryState:
        api = self._api()
        try:
            existing = api.get()
            if existing is None and self._target.create_repository:
                api.create()
                existing = api.get()
        except RegistryError as error:
            if error.code != "denied" or self._target.create_repository:
                raise
            # Pushing does not need read permission; the push reports problems of the repository.
            log.info("No permission to read the target's repository", error=str(error))
            return RepositoryState()
        if existing is None:
            raise self._missing_error(api.name)
        return self._state_of(existing, api.name)

    def _state_of(self, existing: Repository, name: str) -> RepositoryState:
        from mirrors.registries.gcp.repository import DOCKER, REMOTE, VIRTUAL, facts

        host = self._target.host
        if existing.format_ != DOCKER:
            raise RegistryError(
                "invalid", f"{name} is not a Docker repository: configure another one", host=host, says_step=True
            )
        if existing.mode == VIRTUAL:
            text = f"{name} is a virtual repository, which does not accept pushes: configure a standard one"
            raise RegistryError("invalid", text, host=host, says_step=True)
        current_facts = facts(existing)
        return RepositoryState(
            pulls_through=existing.mode == REMOTE,
            differences=self._differences(current_facts["labels"]),
            facts=current_facts,
        )

    def _differences(self, labels: dict[str, str]) -> tuple[Difference, ...]:
        configured = self._target.gar_options.labels_by_key
        missing = {key: value for key, value in configured.items() if labels.get(key) != value}
        return tuple(Difference(f"labels.{key}", value, labels.get(key, "")) for key, value in sorted(missing.items()))

    def _missing_error(self, name: str) -> RegistryError:
        target = self._target
        return RegistryError(
            "not-found",
            f"{name} does not exist: create it (gcloud artifacts repositories create {target.repository_id} "
            f"--repository-format=docker --location={target.location} --project={target.project_id}), or set "
            "target.gcp.createRepository to true and allow artifactregistry.repositories.create",
            host=target.host,
            says_step=True,
        )
