"""Pull secrets of pods and service accounts, read from a real API server with the rights of a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mirrors.images import ImageRef
from mirrors.kubernetes.api_server import cluster_credentials
from mirrors.kubernetes.api_server.api_client import ClusterError, _client
from mirrors.kubernetes.api_server.pull_secrets import PullSecrets, Requester
from tests.support.controlplane import ControlPlane

JSON, OLD = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"
IMAGE = ImageRef.parse("registry.example.com/team/app:1")


def log_in(username: str, host: str = "registry.example.com") -> dict[str, str]:
    auths = {host: {"username": username, "password": f"password-of-{username}"}}
    return {".dockerconfigjson": json.dumps({"auths": auths})}


# Of the session: a module can be set up twice if its tests are distributed, and `plane` keeps objects.
@pytest.fixture(scope="session")
def cluster(plane: ControlPlane) -> ControlPlane:
    """An API server with namespace ``shop``, which the worker can read, and ``closed``, which it cannot read."""
    for name in ("shop", "closed"):
        plane.namespace(name)
        plane.secret(name, "one", JSON, log_in("one"))
    plane.let_worker_read("shop", "secrets", "serviceaccounts")
    plane.secret("shop", "two", OLD, {".dockercfg": log_in("two")[".dockerconfigjson"].partition(":")[2][1:-1]})
    plane.secret("shop", "other-host", JSON, log_in("three", "quay.io"))
    plane.secret("shop", "broken", JSON, {".dockerconfigjson": json.dumps({"auths": {"registry.example.com": {}}})})
    plane.secret("shop", "opaque", "Opaque", {"a": "b"})
    account = "/api/v1/namespaces/shop/serviceaccounts"
    plane.create(account, "runner", "ServiceAccount", imagePullSecrets=[{"name": "two"}])
    plane.create(account, "default", "ServiceAccount", imagePullSecrets=[{"name": "one"}])
    plane.create(account, "bare", "ServiceAccount")
    return plane


@pytest.fixture(autouse=True)
def kubeconfig(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig()))
    yield
    _client.cache_clear()


def users(requester: Requester) -> tuple[list[str], list[str]]:
    found = PullSecrets().find(IMAGE, requester)
    return [credential.username for credential in found.credentials], found.problems


def test_the_pull_secrets_of_a_pod_are_read() -> None:
    assert users(Requester("shop", "runner", ("one",))) == (["one"], [])
    names, problems = users(Requester("shop", "", ("one", "two")))
    assert (sorted(names), problems) == (["one", "two"], [])


def test_service_account_secrets_are_read_if_the_pod_has_none() -> None:
    assert users(Requester("shop", "runner")) == (["two"], [])
    assert users(Requester("shop")) == (["one"], []), "the account called default"
    assert users(Requester("shop", "bare")) == ([], [])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "Secret shop/broken: its entry 'registry.example.com' has no username and password"),
        ("opaque", "Secret shop/opaque has the type Opaque"),
        ("missing", "Secret shop/missing does not exist"),
    ],
)
def test_an_unusable_secret_is_reported_and_the_others_are_used(name: str, why: str) -> None:
    names, problems = users(Requester("shop", "", (name, "one")))
    assert names == ["one"]
    assert len(problems) == 1 and problems[0].startswith(why)


def test_pull_secrets_for_other_registries_are_reported() -> None:
    names, problems = users(Requester("shop", "", ("other-host",)))
    assert names == []
    assert problems == ["the pull secrets of shop (other-host) have no credentials for registry.example.com"]


def test_missing_permission_to_read_a_namespace_is_reported() -> None:
    for requester in (Requester("closed", "", ("one",)), Requester("closed", "runner")):
        names, problems = users(requester)
        assert names == []
        assert "no permission to read" in problems[0] and "secretReader.enabled" in problems[0]


def test_running_outside_a_cluster_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    names, problems = users(Requester("shop", "", ("one",)))
    assert names == []
    assert "does not run in a cluster" in problems[0]


def test_an_unavailable_api_server_is_reported(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    away = cluster.kubeconfig(token="other", namespace="shop")
    away.write_text(away.read_text().replace(cluster.url, "https://127.0.0.1:1"))
    monkeypatch.setenv("KUBECONFIG", str(away))
    assert "the API server did not respond" in users(Requester("shop", "", ("one",)))[1][0]


def test_a_result_is_not_definite_if_a_secret_cannot_be_read(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing Secret is a definite result. A Secret that cannot be read, or not at the moment, is not."""
    assert PullSecrets().find(IMAGE, Requester("shop", "", ("missing",))).is_complete
    assert not PullSecrets().find(IMAGE, Requester("closed", "", ("one",))).is_complete
    away = cluster.kubeconfig(token="other-token", namespace="shop")
    away.write_text(away.read_text().replace(cluster.url, "https://127.0.0.1:1"))
    monkeypatch.setenv("KUBECONFIG", str(away))
    found = PullSecrets().find(IMAGE, Requester("shop", "", ("one",)))
    assert found.temporary_error is not None and found.temporary_error.is_temporary and not found.is_complete


def test_at_most_20_of_the_pull_secrets_of_a_pod_are_read(cluster: ControlPlane) -> None:
    found = PullSecrets().find(IMAGE, Requester("shop", "", tuple(f"missing-{n}" for n in range(300))))
    assert len(found.problems) == 21
    assert "only 20 of the 300 pull secrets of shop are tried" in found.problems[0]


def test_a_password_is_read_only_from_a_labelled_secret(cluster: ControlPlane) -> None:
    cluster.let_worker_read("swapper", "secrets")
    label = {"k8s-image-swapper/credential": "true"}
    cluster.secret("swapper", "hub", "Opaque", {"token": "hub-password\n", "empty": ""}, labels=label)
    cluster.secret("swapper", "unlabelled", "Opaque", {"token": "never"})
    assert cluster_credentials.password("hub/token") == "hub-password"
    for reference, why in (
        ("unlabelled/token", "lacks the label"),
        ("hub/other", "has no key other"),
        ("hub/empty", "is empty"),
        ("gone/token", "does not exist"),
    ):
        with pytest.raises(ClusterError, match=why):
            cluster_credentials.password(reference)
