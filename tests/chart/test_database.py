"""The database: a Postgres of the release, a Postgres of the user, or SQLite in one pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm import FULLNAME, Manifests, Object, RenderError, containers, notes, render, variables

OWN = f"{FULLNAME}-postgresql"
CLAIM = {"sqlite": {"enabled": True, "volume": {"persistentVolumeClaim": {"claimName": "data"}}}}


def processes(manifests: Manifests) -> list[Object]:
    """Return all containers that connect to the database."""
    return [
        container
        for role in ("", "web", "worker", "watcher")
        for container in containers(manifests.deployment(role)["spec"]["template"])
    ]


def test_the_bundled_postgres_is_used_by_default() -> None:
    manifests = render()
    found = manifests.get("StatefulSet", OWN)["spec"]
    (server,) = containers(found["template"])

    assert server["image"] == "docker.io/library/postgres:17"
    assert found["template"]["spec"]["volumes"][0] == {"name": "data", "emptyDir": {}}
    assert variables(server)["POSTGRES_PASSWORD"] == {"secretKeyRef": {"name": OWN, "key": "password"}}
    for container in processes(manifests):
        environment = variables(container)
        assert environment["SWAPPER_DATABASE_URL"] == f"postgres://swapper@{OWN}:5432/swapper"
        assert environment["PGPASSWORD"] == {"secretKeyRef": {"name": OWN, "key": "password"}}
    assert manifests.has("Service", OWN)
    assert "no volume" in notes()


def test_the_bundled_postgres_can_use_a_persistent_volume() -> None:
    """The claim is separate, because a StatefulSet's own claim templates are immutable."""
    values = {"postgresql": {"persistence": {"enabled": True, "storageClassName": "gp3", "size": "20Gi"}}}
    manifests = render(values)
    claim = manifests.get("PersistentVolumeClaim", OWN)

    assert claim["spec"]["storageClassName"] == "gp3"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    volumes = manifests.get("StatefulSet", OWN)["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "data", "persistentVolumeClaim": {"claimName": OWN}}
    assert "volumeClaimTemplates" not in manifests.get("StatefulSet", OWN)["spec"]
    assert "no volume" not in notes(values)


def test_no_persistent_volume_is_claimed_by_default() -> None:
    """Clusters without a default StorageClass would wait permanently."""
    assert not render().all("PersistentVolumeClaim")


def test_the_postgres_image_can_be_set_by_digest() -> None:
    image = {"repository": "registry.example.com/postgres", "digest": f"sha256:{'a' * 64}"}
    (server,) = containers(render({"postgresql": {"image": image}}).get("StatefulSet", OWN)["spec"]["template"])

    assert server["image"] == f"registry.example.com/postgres@sha256:{'a' * 64}"


def test_an_external_database_replaces_the_bundled_postgres() -> None:
    external = {"host": "db.example.com", "port": 6432, "username": "me@x", "database": "images", "existingSecret": "s"}
    manifests = render({"externalDatabase": external})

    assert not manifests.all("StatefulSet")
    assert not manifests.has("Service", OWN)
    for container in processes(manifests):
        environment = variables(container)
        assert environment["SWAPPER_DATABASE_URL"] == "postgres://me%40x@db.example.com:6432/images"
        assert environment["PGPASSWORD"] == {"secretKeyRef": {"name": "s", "key": "password"}}
        assert "PGSSLMODE" not in environment


def test_a_ca_secret_enables_verification_of_an_external_database() -> None:
    external = {"host": "db.example.com", "caSecret": {"name": "db-ca", "key": "root.pem"}}
    manifests = render({"externalDatabase": external})

    for role in ("", "web", "worker", "watcher"):
        spec = manifests.deployment(role)["spec"]["template"]["spec"]
        (volume,) = [volume["secret"] for volume in spec["volumes"] if volume["name"] == "database-ca"]
        assert volume == {"secretName": "db-ca", "items": [{"key": "root.pem", "path": "ca.crt"}]}
        for container in containers({"spec": spec}):
            assert variables(container)["PGSSLMODE"] == "verify-full"
            assert variables(container)["PGSSLROOTCERT"] == "/database-ca/ca.crt"
            assert "/database-ca" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_the_database_url_can_come_from_a_cloudnative_pg_secret() -> None:
    """The Secret of CloudNativePG contains the complete URL."""
    manifests = render({"externalDatabase": {"existingSecret": "images-app", "existingSecretUrlKey": "uri"}})

    for container in processes(manifests):
        environment = variables(container)
        assert environment["SWAPPER_DATABASE_URL"] == {"secretKeyRef": {"name": "images-app", "key": "uri"}}
        assert "PGPASSWORD" not in environment


def test_a_database_url_can_have_its_password_in_a_secret() -> None:
    url = "postgres://me@db.example.com/images?sslmode=require"
    manifests = render({"externalDatabase": {"url": url, "existingSecret": "s", "existingSecretPasswordKey": "pw"}})

    for container in processes(manifests):
        assert variables(container)["SWAPPER_DATABASE_URL"] == url
        assert variables(container)["PGPASSWORD"] == {"secretKeyRef": {"name": "s", "key": "pw"}}


def test_sqlite_runs_all_roles_in_one_pod() -> None:
    manifests = render(CLAIM)
    (deployment,) = manifests.all("Deployment")
    (container,) = containers(deployment["spec"]["template"])

    assert container["args"] == [
        "up",
        "--listen-address=:8443",
        "--tls-cert-file=/tls/tls.crt",
        "--tls-key-file=/tls/tls.key",
        "--web-address=:8000",
        "--metrics-address=:8001",
        "--watcher-address=:8002",
        "--webhook-configuration=k8s-image-swapper",
    ]
    assert "SWAPPER_DATABASE_URL" not in variables(container)
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data"}} in volumes
    assert deployment["spec"]["template"]["spec"]["securityContext"]["fsGroup"] == 65532
    assert not manifests.all("StatefulSet")


def test_services_select_the_sqlite_pod() -> None:
    manifests = render(CLAIM)
    labels = manifests.deployment()["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in containers(manifests.deployment()["spec"]["template"])[0]["ports"]}

    for service in manifests.all("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize(
    "more",
    [
        {"replicaCount": 2},
        {"autoscaling": {"enabled": True}},
        {"worker": {"replicaCount": 2}},
        {"web": {"autoscaling": {"enabled": True}}},
        {"worker": {"keda": {"enabled": True}}},
    ],
)
def test_sqlite_with_more_than_one_replica_is_rejected(more: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match=r"sqlite\.enabled runs all roles in one pod.*or use Postgres"):
        render({**CLAIM, **more})


def test_sqlite_without_a_volume_claim_shows_a_warning() -> None:
    assert "lost with its pod" in notes({"sqlite": {"enabled": True}})
    assert "lost with its pod" not in notes(CLAIM)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"postgresql": {"enabled": False}}, "No database is configured"),
        ({"externalDatabase": {"url": "postgres://me:secret@db/x"}}, "contains a password"),
        ({"externalDatabase": {"existingSecretUrlKey": "uri"}}, "needs externalDatabase.existingSecret"),
    ],
)
def test_invalid_database_values_are_rejected(values: dict[str, Any], words: str) -> None:
    with pytest.raises(RenderError, match=words):
        render(values)


def test_an_error_does_not_contain_the_database_password() -> None:
    with pytest.raises(RenderError) as caught:
        render({"externalDatabase": {"url": "postgres://me:hunter2@db/x"}})

    assert "hunter2" not in str(caught.value)
