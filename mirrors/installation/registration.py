"""The MutatingWebhookConfiguration: its ``caBundle`` and its path with the token. Other fields are not changed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx2 as httpx
from cryptography import x509
from lightkube.core.exceptions import ApiError
from lightkube.models.admissionregistration_v1 import MutatingWebhook
from lightkube.resources.admissionregistration_v1 import MutatingWebhookConfiguration
from lightkube.types import PatchType

from mirrors.installation.api_refusals import CONFLICT, NOT_FOUND, InstallationError, api_error, status_of
from mirrors.installation.stored_secrets import FIELD_MANAGER
from mirrors.kubernetes.api_server.api_client import client

T = TypeVar("T")
REGISTRATION_RETRY_SECONDS: Final = 1.0
"""Seconds before the configuration is read again if it does not exist yet, or another client has changed it."""

CHANGE_ATTEMPTS: Final = 10
"""The most attempts to change the configuration while other clients change it."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A MutatingWebhookConfiguration. ``token`` is the last segment of its webhooks' path, or empty."""

    name: str
    token: str = ""
    wait_seconds: float = 60.0

    def read(self) -> MutatingWebhookConfiguration | None:
        """Return the configuration; None if it does not exist. Raises InstallationError."""

        def read() -> MutatingWebhookConfiguration:
            return client().get(MutatingWebhookConfiguration, name=self.name)

        return self._call_api(read, f"read {self._description}", "get", ignored_status=NOT_FOUND)

    def trusted_certificates(self) -> tuple[x509.Certificate, ...]:
        """Return the certificates in the current ``caBundle``; empty if it is absent or cannot be parsed.

        Raises InstallationError.
        """
        configuration = self.read()
        bundles = {
            webhook.clientConfig.caBundle or "" for webhook in (configuration.webhooks if configuration else None) or []
        }
        return tuple({certificate: None for bundle in sorted(bundles) for certificate in _certificates(bundle)})

    def set_bundle(self, bundle: bytes) -> bool:
        """Set the ``caBundle`` to these certificates (PEM), and the path to the one with the token.

        Waits until the configuration exists. Return whether anything was changed. Raises InstallationError.
        """
        for _ in range(CHANGE_ATTEMPTS):
            configuration = self._wait()
            changes = self._changes(configuration.webhooks or [], base64.b64encode(bundle).decode())
            version = configuration.metadata.resourceVersion if configuration.metadata else None
            if not changes:
                return False
            if self._patch({"metadata": {"resourceVersion": version}, "webhooks": changes}):
                return True
            time.sleep(REGISTRATION_RETRY_SECONDS)
        raise InstallationError(
            f"{self._description} was changed by other clients during each attempt: run the command again."
        )

    def _changes(self, webhooks: list[MutatingWebhook], bundle: str) -> list[dict[str, Any]]:
        """Return the webhooks' list of a strategic merge patch, whose entries the API server matches by name."""
        if not webhooks:
            raise InstallationError(
                f"{self._description} has no webhooks: create it with the webhook's name and rules."
            )
        changes = []
        for webhook in webhooks:
            change: dict[str, Any] = {}
            service = webhook.clientConfig.service
            if webhook.clientConfig.caBundle != bundle:
                change["caBundle"] = bundle
            # The path of a webhook with a URL is in the URL, which the operator has set.
            if self.token and service is not None and service.path != self._path:
                change["service"] = {"path": self._path}
            if change:
                changes.append({"name": webhook.name, "clientConfig": change})
        return changes

    def _wait(self) -> MutatingWebhookConfiguration:
        deadline = time.monotonic() + self.wait_seconds
        while (configuration := self.read()) is None:
            if time.monotonic() > deadline:
                raise InstallationError(
                    f"{self._description} does not exist: create it (the chart does), or correct "
                    "--webhook-configuration, and run the command again."
                )
            time.sleep(REGISTRATION_RETRY_SECONDS)
        return configuration

    def _patch(self, patch: dict[str, Any]) -> bool:
        """Apply the patch. Return False if another client has changed the configuration since it was read."""

        def change() -> bool:
            client().patch(
                MutatingWebhookConfiguration,
                self.name,
                patch,
                patch_type=PatchType.STRATEGIC,
                field_manager=FIELD_MANAGER,
            )
            return True

        return self._call_api(change, f"change {self._description}", "patch", ignored_status=CONFLICT) or False

    def _call_api(self, call: Callable[[], T], action: str, verb: str, *, ignored_status: int) -> T | None:
        """Return the result of the call; None if the API server responds with the status ``ignored_status``."""
        try:
            return call()
        except (ApiError, httpx.HTTPError) as error:
            if isinstance(error, ApiError) and status_of(error) == ignored_status:
                return None
            failure = api_error(error, action, permission=f"{verb} mutatingwebhookconfigurations")
        text = str(failure)
        raise InstallationError(text.replace(self.token, "***") if self.token else text)

    @property
    def _path(self) -> str:
        return f"/webhook/{self.token}"

    @property
    def _description(self) -> str:
        return f"MutatingWebhookConfiguration {self.name}"


def _certificates(bundle: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(bundle))
    except ValueError:
        return []
