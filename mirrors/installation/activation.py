"""Activation of the webhook under ``failurePolicy: Fail``, after it has responded to a review.

The chart registers the webhook with a match condition: a service account must have the permission to ``review``
``admissions.k8s-image-swapper.github.io``, which has no other purpose. The chart's Role grants it, and this module
creates the RoleBinding. Until then API servers skip the webhook, so that a webhook that never starts rejects no pod.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx2 as httpx
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta, OwnerReference
from lightkube.models.rbac_v1 import RoleRef, Subject
from lightkube.resources.rbac_authorization_v1 import RoleBinding

from mirrors.installation import trial_review
from mirrors.installation.api_refusals import CONFLICT, NOT_FOUND, InstallationError, api_error, status_of
from mirrors.installation.registration import Registration
from mirrors.installation.stored_secrets import FIELD_MANAGER, LABELS
from mirrors.installation.trial_review import TrialError
from mirrors.kubernetes.api_server.api_client import client

T = TypeVar("T")
RETRY_SECONDS: Final = 1.0
"""Seconds between two attempts: a webhook needs a few seconds to start."""


@dataclass(frozen=True, slots=True)
class Activation:
    """The activation of a webhook. ``role`` is the name of both the Role and the RoleBinding. If ``wait_seconds`` is
    None, it waits without limit until the webhook responds."""

    namespace: str
    role: str
    service_account: str
    registration: Registration
    wait_seconds: float | None = None

    def run(self) -> Iterator[str]:
        """Activate the webhook. Yield lines that report the progress. Raises InstallationError."""
        started, last_obstacle = time.monotonic(), ""
        while obstacle := self._attempt():
            if obstacle != last_obstacle:
                yield f"Pods are not sent to the webhook yet: {obstacle}"
            last_obstacle = obstacle
            if self.wait_seconds is not None and time.monotonic() - started > self.wait_seconds:
                raise InstallationError(
                    f"The webhook is not active: {obstacle}. Correct this and run the command again."
                )
            time.sleep(RETRY_SECONDS)
        yield f"{self._description}: API servers send pods to the webhook"

    def _attempt(self) -> str:
        """Try to activate the webhook. Return the obstacle as text; empty if the webhook is active."""
        registered = self.registration.read()
        if registered is None or registered.metadata is None or not registered.webhooks:
            return f"MutatingWebhookConfiguration {self.registration.name} does not exist"
        binding = self._call_api("read", "get", self._get, ignored_status=NOT_FOUND)
        if binding is not None:
            owners = _owners(binding)
            return (
                ""
                if not owners or registered.metadata.uid in owners
                else f"{self._description} belongs to an earlier installation and is being deleted"
            )
        try:
            trial_review.send(registered.webhooks[0].clientConfig)
        except TrialError as error:
            return f"the webhook does not respond: {error}"
        return self._bind(registered.metadata)

    def _bind(self, registered: ObjectMeta) -> str:
        """Create the RoleBinding. Its owner is the webhook configuration, so that a recreated webhook configuration
        must be activated again. Return the obstacle as text, or empty text."""
        version, kind = "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"
        owner = OwnerReference(apiVersion=version, kind=kind, name=str(registered.name), uid=str(registered.uid))
        binding = RoleBinding(
            metadata=ObjectMeta(name=self.role, namespace=self.namespace, labels=LABELS, ownerReferences=[owner]),
            roleRef=RoleRef(kind="Role", name=self.role, apiGroup="rbac.authorization.k8s.io"),
            subjects=[Subject(kind="ServiceAccount", name=self.service_account, namespace=self.namespace)],
        )

        def create() -> RoleBinding:
            return client().create(binding, namespace=self.namespace, field_manager=FIELD_MANAGER)

        created = self._call_api("create", "create", create, ignored_status=CONFLICT)
        return "" if created else f"{self._description} was created by another run"

    def _get(self) -> RoleBinding:
        return client().get(RoleBinding, name=self.role, namespace=self.namespace)

    def _call_api(self, action: str, verb: str, call: Callable[[], T], *, ignored_status: int) -> T | None:
        """Return the result of the call; None if the API server responds with the status ``ignored_status``."""
        try:
            return call()
        except (ApiError, httpx.HTTPError) as error:
            if isinstance(error, ApiError) and status_of(error) == ignored_status:
                return None
            raise api_error(
                error, f"{action} {self._description}", permission=f"{verb} rolebindings, and bind the role"
            ) from None

    @property
    def _description(self) -> str:
        return f"RoleBinding {self.namespace}/{self.role}"


def _owners(binding: RoleBinding) -> set[str]:
    references = binding.metadata.ownerReferences if binding.metadata else None
    return {reference.uid for reference in references or []}
