"""The connection to the cluster's API server: by the pod's service account, or by ``KUBECONFIG`` where that is set."""

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
"""Seconds for a call of the API server, which answers reads in milliseconds."""

WORKLOAD_KINDS: Final[Mapping[str, Any]] = {kind.__name__: kind for kind in decoded_types.WORKLOADS}
"""Kinds with a pod template that are read."""


class ClusterError(Exception):
    """Something can't be read from the cluster; the message says why.

    ``is_passing`` if a retry may succeed; ``is_missing`` if the object does not exist; ``says_step`` if the message
    says what to do next.
    """

    def __init__(
        self, message: str, *, is_passing: bool = False, is_missing: bool = False, says_step: bool = False
    ) -> None:
        super().__init__(message)
        self.is_passing = is_passing
        self.is_missing = is_missing
        self.says_step = says_step


def read_secret(namespace: str, name: str) -> Secret:
    """Raises ClusterError."""
    try:
        return client().get(Secret, name=name, namespace=namespace)
    except (ApiError, httpx.HTTPError) as error:
        raise _refusal(error, f"Secret {namespace}/{name}", "secrets") from None


def read_service_account(namespace: str, name: str) -> ServiceAccount:
    """Raises ClusterError."""
    try:
        return client().get(ServiceAccount, name=name, namespace=namespace)
    except (ApiError, httpx.HTTPError) as error:
        raise _refusal(error, f"service account {namespace}/{name}", "serviceaccounts") from None


def read_pod(namespace: str, name: str) -> dict[str, Any]:
    """A pod as JSON. Raises ClusterError."""
    try:
        return client().get(Pod, name=name, namespace=namespace).to_dict()
    except (ApiError, httpx.HTTPError) as error:
        raise _unread(error, f"pod {namespace}/{name}", "pods") from None


def read_workload(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """A workload as JSON, with its kind. Raises ClusterError, also for kinds that are not known."""
    resource = WORKLOAD_KINDS.get(kind)
    if resource is None or not name:
        raise ClusterError(f"{kind or 'the workload'} {namespace}/{name} has no pod template", is_missing=True)
    try:
        return {**client().get(resource, name=name, namespace=namespace).to_dict(), "kind": kind}
    except (ApiError, httpx.HTTPError) as error:
        raise _unread(error, f"{kind} {namespace}/{name}", f"{kind.lower()}s") from None


def read_namespace(name: str) -> dict[str, str]:
    """The labels of a namespace; none where it has been deleted. Raises ClusterError."""
    try:
        metadata = client().get(Namespace, name=name).metadata
        return dict((metadata.labels if metadata else None) or {})
    except (ApiError, httpx.HTTPError) as error:
        refused = _unread(error, f"namespace {name}", "namespaces")
        if refused.is_missing:
            return {}
        raise refused from None


def read_webhook_configuration(name: str) -> dict[str, Any]:
    """A MutatingWebhookConfiguration as JSON. Raises ClusterError."""
    try:
        return client().get(MutatingWebhookConfiguration, name=name).to_dict()
    except (ApiError, httpx.HTTPError) as error:
        what = f"MutatingWebhookConfiguration {name}"
        raise _unread(error, what, "mutatingwebhookconfigurations") from None


def own_namespace() -> str:
    """The namespace that this process runs in; raises ClusterError outside of a cluster."""
    with suppress(OSError):
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    return str(client().namespace)


def client() -> lightkube.Client:
    """Raises ClusterError outside of a cluster."""
    return _client(os.environ.get("KUBECONFIG", ""))


def is_configured() -> bool:
    """Whether this process runs in a cluster, or has been given the access to one."""
    return (SERVICE_ACCOUNT / "token").exists() or bool(os.environ.get("KUBECONFIG"))


def streaming_client(timeout: httpx.Timeout) -> GenericSyncClient:
    """lightkube's lower layer, which takes the parameters of a watch; raises ClusterError outside of a cluster."""
    parameters = ConnectionParams(timeout=timeout, trust_env=False)
    return _usable(lambda: GenericSyncClient(parameters, _config(os.environ.get("KUBECONFIG", ""))))


@lru_cache(maxsize=2)
def _client(kubeconfig: str) -> lightkube.Client:
    # The API server is always direct, whatever proxies the environment names.
    timeout = httpx.Timeout(API_SERVER_SECONDS)
    return _usable(lambda: lightkube.Client(config=_config(kubeconfig), timeout=timeout, trust_env=False))


def _config(kubeconfig: str) -> KubeConfig:
    """The default file of kubectl is not used: it would read whatever cluster somebody works with."""
    if (SERVICE_ACCOUNT / "token").exists():
        return KubeConfig.from_service_account(str(SERVICE_ACCOUNT))
    if kubeconfig:
        return KubeConfig.from_file(kubeconfig)
    raise ClusterError("this process does not run in a cluster, and KUBECONFIG is not set")


def _usable(make: Callable[[], T]) -> T:
    decoded_types.make_ready()
    try:
        return make()
    except (ConfigError, LoadResourceError, OSError, ValueError) as error:
        raise ClusterError(f"the access to the cluster is not usable ({type(error).__name__}): {error}") from None


def _refusal(error: ApiError | httpx.HTTPError, what: str, resource: str) -> ClusterError:
    """Of a Secret or service account."""
    return _refused(
        error,
        what,
        f"let the worker's service account get {resource} in that namespace "
        "(docs/operations.md has the role; secretReader.enabled where the chart is used)",
    )


def _unread(error: ApiError | httpx.HTTPError, what: str, resource: str) -> ClusterError:
    """Of a pod or workload."""
    return _refused(error, what, f"let this process get {resource} (docs/cluster.md has the role; the chart has it)")


def _refused(error: ApiError | httpx.HTTPError, what: str, permission: str) -> ClusterError:
    if not isinstance(error, ApiError):
        words = f"{what} was not read: the API server did not answer ({type(error).__name__})"
        return ClusterError(words, is_passing=True)
    code = error.status.code or 0
    if code == 404:
        return ClusterError(f"{what} does not exist", is_missing=True)
    if code in (401, 403):
        return ClusterError(f"{what} may not be read: {permission}", says_step=True)
    return ClusterError(f"{what} was not read: the API server answered {code}", is_passing=True)
