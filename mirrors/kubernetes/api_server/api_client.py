"""The connection to the cluster's API server, with the pod's service account or else with ``KUBECONFIG``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2 as httpx
import lightkube
from lightkube import KubeConfig
from lightkube.config.client_adapter import ConnectionParams
from lightkube.core.exceptions import ApiError, ConfigError, LoadResourceError
from lightkube.core.generic_client import GenericSyncClient
from lightkube.resources.admissionregistration_v1 import MutatingWebhookConfiguration
from lightkube.resources.core_v1 import Namespace, Pod, Secret, ServiceAccount

from mirrors.kubernetes.api_server import decoded_types

T = TypeVar("T")

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API_SERVER_SECONDS: Final = 10.0
"""Timeout of a request to the API server, in seconds. Reads normally take milliseconds."""

WORKLOAD_KINDS: Final[Mapping[str, Any]] = {kind.__name__: kind for kind in decoded_types.WORKLOADS}
"""The workload kinds with a pod template that can be read, by name."""


class ClusterError(Exception):
    """An object cannot be read from the cluster; the message contains the reason.

    ``is_temporary`` if a retry may succeed; ``is_missing`` if the object does not exist; ``says_step`` if the message
    contains the next step for the operator.
    """

    def __init__(
        self, message: str, *, is_temporary: bool = False, is_missing: bool = False, says_step: bool = False
    ) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary
        self.is_missing = is_missing
        self.says_step = says_step


def read_secret(namespace: str, name: str) -> Secret:
    """Return a Secret. Raises ClusterError."""
    try:
        return client().get(Secret, name=name, namespace=namespace)
    except (ApiError, httpx.HTTPError) as error:
        raise _secret_read_error(error, f"Secret {namespace}/{name}", "secrets") from None


def read_service_account(namespace: str, name: str) -> ServiceAccount:
    """Return a service account. Raises ClusterError."""
    try:
        return client().get(ServiceAccount, name=name, namespace=namespace)
    except (ApiError, httpx.HTTPError) as error:
        raise _secret_read_error(error, f"service account {namespace}/{name}", "serviceaccounts") from None


def read_pod(namespace: str, name: str) -> dict[str, Any]:
    """Return a pod as JSON. Raises ClusterError."""
    try:
        return client().get(Pod, name=name, namespace=namespace).to_dict()
    except (ApiError, httpx.HTTPError) as error:
        raise _object_read_error(error, f"pod {namespace}/{name}", "pods") from None


def read_workload(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Return a workload as JSON, with its kind. Raises ClusterError, also for an unknown kind."""
    resource = WORKLOAD_KINDS.get(kind)
    if resource is None or not name:
        raise ClusterError(f"{kind or 'the workload'} {namespace}/{name} has no pod template", is_missing=True)
    try:
        return {**client().get(resource, name=name, namespace=namespace).to_dict(), "kind": kind}
    except (ApiError, httpx.HTTPError) as error:
        raise _object_read_error(error, f"{kind} {namespace}/{name}", f"{kind.lower()}s") from None


def read_namespace(name: str) -> dict[str, str]:
    """Return the labels of a namespace; empty if it has been deleted. Raises ClusterError."""
    try:
        metadata = client().get(Namespace, name=name).metadata
        return dict((metadata.labels if metadata else None) or {})
    except (ApiError, httpx.HTTPError) as error:
        read_error = _object_read_error(error, f"namespace {name}", "namespaces")
        if read_error.is_missing:
            return {}
        raise read_error from None


def read_webhook_configuration(name: str) -> dict[str, Any]:
    """Return a MutatingWebhookConfiguration as JSON. Raises ClusterError."""
    try:
        return client().get(MutatingWebhookConfiguration, name=name).to_dict()
    except (ApiError, httpx.HTTPError) as error:
        what = f"MutatingWebhookConfiguration {name}"
        raise _object_read_error(error, what, "mutatingwebhookconfigurations") from None


def own_namespace() -> str:
    """Return the namespace that this process runs in. Raises ClusterError if no cluster is configured."""
    with suppress(OSError):
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return str(client().namespace)


def client() -> lightkube.Client:
    """Return the cached client. Raises ClusterError if no cluster is configured."""
    return _client(os.environ.get("KUBECONFIG", ""))


def is_configured() -> bool:
    """Return whether this process runs in a cluster, or ``KUBECONFIG`` is set."""
    return (SERVICE_ACCOUNT / "token").exists() or bool(os.environ.get("KUBECONFIG"))


def streaming_client(timeout: httpx.Timeout) -> GenericSyncClient:
    """Return a client of lightkube's lower layer, which accepts the query parameters of a watch.

    Raises ClusterError if no cluster is configured.
    """
    parameters = ConnectionParams(timeout=timeout, trust_env=False)
    return _create_client(lambda: GenericSyncClient(parameters, _config(os.environ.get("KUBECONFIG", ""))))


@lru_cache(maxsize=2)
def _client(kubeconfig: str) -> lightkube.Client:
    # The API server is always reached directly, even if the environment configures proxies.
    timeout = httpx.Timeout(API_SERVER_SECONDS)
    return _create_client(lambda: lightkube.Client(config=_config(kubeconfig), timeout=timeout, trust_env=False))


def _config(kubeconfig: str) -> KubeConfig:
    """Return the configuration. kubectl's default file is not used: it may point to any cluster of the user."""
    if (SERVICE_ACCOUNT / "token").exists():
        return KubeConfig.from_service_account(str(SERVICE_ACCOUNT))
    if kubeconfig:
        return KubeConfig.from_file(kubeconfig)
    raise ClusterError("this process does not run in a cluster, and KUBECONFIG is not set")


def _create_client(create: Callable[[], T]) -> T:
    decoded_types.warm_up_decoders()
    try:
        return create()
    except (ConfigError, LoadResourceError, OSError, ValueError) as error:
        raise ClusterError(
            f"the configuration for access to the cluster cannot be used ({type(error).__name__}): {error}"
        ) from None


def _secret_read_error(error: ApiError | httpx.HTTPError, what: str, resource: str) -> ClusterError:
    """Return the error for a Secret or service account that cannot be read."""
    return _read_error(
        error,
        what,
        f"allow the worker's service account to get {resource} in that namespace (docs/operations.md has the role; "
        "with the chart, set secretReader.enabled)",
    )


def _object_read_error(error: ApiError | httpx.HTTPError, what: str, resource: str) -> ClusterError:
    """Return the error for any other object that cannot be read."""
    return _read_error(
        error, what, f"allow this process to get {resource} (docs/cluster.md has the role; the chart includes it)"
    )


def _read_error(error: ApiError | httpx.HTTPError, what: str, permission: str) -> ClusterError:
    if not isinstance(error, ApiError):
        message = f"{what} cannot be read: the API server did not respond ({type(error).__name__})"
        return ClusterError(message, is_temporary=True)
    code = error.status.code or 0
    if code == 404:
        return ClusterError(f"{what} does not exist", is_missing=True)
    if code in (401, 403):
        return ClusterError(f"no permission to read {what}: {permission}", says_step=True)
    return ClusterError(f"{what} cannot be read: the API server responded with status {code}", is_temporary=True)
