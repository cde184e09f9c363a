"""The main workflow with real processes: a pod is admitted, its image is mirrored, and the next pod runs from the
mirror."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate, query
from tests.support.ports import wait_until
from tests.support.system import Answer, Webhook, pod_of, running_webhook, write_config


@pytest.fixture(scope="module")
def source() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        for number in range(1, 6):
            sample_image(seed=number, layers=2, layer_bytes=1000).load(registry.storage, f"team/app-{number}", "1.0")
        yield registry


@pytest.fixture(scope="module")
def private() -> Iterator[MemoryRegistry]:
    """A registry that requires credentials for everything. The configured credentials serve the pods of ``team-a``."""
    with MemoryRegistry(gatekeeper=Gatekeeper("basic", "robot", "s3cret")) as registry:
        sample_image(seed=80, layers=1, layer_bytes=1000).load(registry.storage, "team/secret", "1.0")
        yield registry


@pytest.fixture(scope="module")
def system(
    source: MemoryRegistry,
    private: MemoryRegistry,
    target: MemoryRegistry,
    database_template: DatabaseTemplate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Webhook]:
    """A webhook and a worker with delayed copies. Tests change the policies."""
    directory = tmp_path_factory.mktemp("system")
    (directory / "credentials").mkdir()
    (directory / "credentials/private").write_text("s3cret\n")
    log_in = {"username": "robot", "passwordFile": "private", "namespaces": ["team-a"]}
    SOURCES[:] = [
        {"type": "oci", "host": source.host, "insecure": True},
        {"type": "oci", "host": private.host, "insecure": True, **log_in},
    ]
    with running_webhook(directory, database_template, target=target.host, **configuration()) as webhook:
        worker = webhook.worker()
        worker.start()
        try:
            yield webhook
        finally:
            worker.stop()


SOURCES: list[dict[str, Any]] = []
"""The source registries of the running system's configuration."""


def configuration(**keys: Any) -> dict[str, Any]:
    return {"source": {"registries": SOURCES}, **keys}


def set_policies(system: Webhook, target: MemoryRegistry, **keys: object) -> None:
    """Change the configuration of the running system and wait until the webhook has applied it."""
    taken = len([line for line in system.log_lines() if "configuration is active" in line["message"]])
    write_config(system.config, target=target.host, **configuration(**keys))
    wait_until(
        lambda: len([line for line in system.log_lines() if "configuration is active" in line["message"]]) > taken,
        what="the new configuration",
    )


def swapped(answer: Answer) -> str | None:
    return answer.images.get("/spec/containers/0/image")


def test_the_next_pod_runs_from_the_mirror(system: Webhook, source: MemoryRegistry, target: MemoryRegistry) -> None:
    image = f"{source.host}/team/app-1:1.0"
    set_policies(system, target, imageCopyDeadline="5600ms")

    first = system.admit(pod_of(image))
    assert system.reasons(first) == ["absent"]
    wait_until(lambda: swapped(system.admit(pod_of(image))), what="a swap")

    mirrored = f"{target.host}/{source.host.replace(':', '_')}/team/app-1:1.0"
    second = system.admit(pod_of(image))
    assert swapped(second) == mirrored
    assert system.reasons(second) == ["present"]
    repository = mirrored.partition("/")[2].removesuffix(":1.0")
    assert target.storage.manifest(repository, "1.0") == source.storage.manifest("team/app-1", "1.0")


def test_first_pods_are_counted_separately_only_if_a_copy_is_requested(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    for policy, expected in (("none", False), ("delayed", True)):
        set_policies(system, target, imageCopyPolicy=policy, imageCopyDeadline="5700ms")
        namespace = f"first-{policy}"
        response = system.admit(pod_of(f"{source.host}/team/first-{policy}:1.0"), namespace=namespace)
        assert system.reasons(response) == ["absent"]
        counted = f"SELECT first_seen FROM mirrors_decisioncount WHERE namespace = '{namespace}'"  # noqa: S608
        wait_until(lambda sql=counted: query(system.database_url, sql), what="the counts")  # type: ignore[misc]
        assert query(system.database_url, counted) == [(expected,)]


@pytest.mark.parametrize(("policy", "number"), [("immediate", 2), ("force", 3)])
def test_a_pod_waits_for_its_copy(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry, policy: str, number: int
) -> None:
    set_policies(system, target, imageCopyPolicy=policy, imageCopyDeadline=f"{number + 6}s")

    response = system.admit(pod_of(f"{source.host}/team/app-{number}:1.0"))

    assert system.reasons(response) == ["copied"]
    assert swapped(response)


def test_a_pod_whose_copy_fails_keeps_its_source(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    set_policies(system, target, imageCopyPolicy="immediate", imageCopyDeadline="8.5s")

    response = system.admit(pod_of(f"{source.host}/team/no-such:1.0"))

    assert response.allowed
    assert system.reasons(response) == ["absent"]
    (row,) = query(
        system.database_url,
        "SELECT j.status, j.error_class FROM mirrors_mirrorjob j JOIN mirrors_imagemapping m ON m.id = j.mapping_id"
        " WHERE m.source LIKE '%no-such%'",
    )
    assert row == ("failed", "not-found")


def test_no_copy_is_queued_with_copy_policy_none(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    set_policies(system, target, imageCopyPolicy="none")

    response = system.admit(pod_of(f"{source.host}/team/app-4:1.0"))

    assert system.reasons(response) == ["absent"]
    set_policies(system, target, imageCopyPolicy="delayed", imageCopyDeadline="5s")
    system.admit(pod_of(f"{source.host}/team/app-5:1.0"))
    wait_until(lambda: ordered(system, "%app-5%"), what="an order behind the one that must not be")
    assert not ordered(system, "%app-4%")


def test_concurrent_pods_with_one_missing_image_share_one_job(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    sample_image(seed=99, layers=2, layer_bytes=1000).load(source.storage, "team/shared", "1.0")
    set_policies(system, target, imageCopyPolicy="immediate", imageCopyDeadline="9.5s")
    pods = [pod_of(f"{source.host}/team/shared:1.0", name=f"pod-{number}") for number in range(10)]

    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(system.admit, pods))

    assert [system.reasons(response)[0] for response in responses] == ["copied"] * 10
    assert ordered(system, "%team/shared%") == 1


def test_a_pod_does_not_wait_longer_than_the_copy_deadline(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    set_policies(system, target, imageCopyPolicy="immediate", imageCopyDeadline="1s")
    sample_image(seed=7, layers=30, layer_bytes=1_000_000).load(source.storage, "team/large", "1.0")

    started = time.monotonic()
    response = system.admit(pod_of(f"{source.host}/team/large:1.0", f"{source.host}/team/none:1", "192.0.2.1/x/y:1"))

    assert response.allowed
    assert time.monotonic() - started < 2


def ordered(system: Webhook, pattern: str) -> int:
    """Return how many jobs exist for images that match the LIKE pattern."""
    jobs: int = query(
        system.database_url,
        "SELECT count(*) FROM mirrors_mirrorjob j JOIN mirrors_imagemapping m ON m.id = j.mapping_id"  # noqa: S608
        f" WHERE m.source LIKE '{pattern}'",
    )[0][0]
    return jobs


def mirror_name(source: MemoryRegistry, repository: str) -> str:
    return f"{source.host.replace(':', '_')}/{repository}"


def wait_until_swapped(system: Webhook, image: str, **request: Any) -> None:
    # A copy that fails once, on a busy machine, is retried after half a minute.
    wait_until(lambda: swapped(system.admit(pod_of(image), **request)), timeout=90, what=f"a swap of {image}")


def purge(registry: MemoryRegistry, repository: str) -> None:
    """Delete a repository, as a lifecycle policy or a user does."""
    with registry.storage.lock:
        for held in (registry.storage.manifests, registry.storage.tags):
            for key in [key for key in held if key[0] == repository]:
                del held[key]
        registry.storage.links -= {link for link in registry.storage.links if link[0] == repository}


def test_an_image_deleted_from_the_mirror_is_kept_and_copied_again(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    """A purged mirror must not leave every new pod without its image."""
    sample_image(seed=50, layers=1, layer_bytes=1000).load(source.storage, "team/purged", "1.0")
    image, name = f"{source.host}/team/purged:1.0", mirror_name(source, "team/purged")
    set_policies(system, target, existence={"maxAge": "1s"}, imageCopyDeadline="4s")
    wait_until_swapped(system, image)

    purge(target, name)

    wait_until(lambda: not swapped(system.admit(pod_of(image))), what="an answer that keeps the image")
    wait_until_swapped(system, image)
    assert target.storage.manifest(name, "1.0") == source.storage.manifest("team/purged", "1.0")


def test_a_tag_that_moved_at_the_source_is_copied_again_after_the_refresh_age(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    sample_image(seed=60, layers=1, layer_bytes=1000).load(source.storage, "team/moving", "latest")
    image, name = f"{source.host}/team/moving:latest", mirror_name(source, "team/moving")
    set_policies(system, target, refreshAge="1s", imageCopyDeadline="3s")
    wait_until_swapped(system, image)

    sample_image(seed=61, layers=1, layer_bytes=1000).load(source.storage, "team/moving", "latest")

    def is_copied() -> bool:
        assert swapped(system.admit(pod_of(image)))
        return target.storage.manifest(name, "latest") == source.storage.manifest("team/moving", "latest")

    wait_until(is_copied, what="the moved tag at the mirror")


def test_tag_and_digest_are_both_kept(system: Webhook, source: MemoryRegistry, target: MemoryRegistry) -> None:
    pinned = sample_image(seed=70, layers=1, layer_bytes=1000)
    pinned.load(source.storage, "team/pinned", "1.0")
    image = f"{source.host}/team/pinned:1.0@{pinned.root}"
    set_policies(system, target, imageCopyDeadline="3500ms")

    wait_until_swapped(system, image)

    assert (
        swapped(system.admit(pod_of(image))) == f"{target.host}/{mirror_name(source, 'team/pinned')}:1.0@{pinned.root}"
    )
    assert target.storage.tag_names(mirror_name(source, "team/pinned")) == ["1.0"]


def test_a_private_mirror_is_used_only_in_the_namespaces_of_its_credentials(
    system: Webhook, private: MemoryRegistry, target: MemoryRegistry
) -> None:
    image = f"{private.host}/team/secret:1.0"
    set_policies(system, target, imageCopyDeadline="3800ms")

    wait_until_swapped(system, image, namespace="team-a")

    other = system.admit(pod_of(image), namespace="team-b")
    assert (system.reasons(other), swapped(other)) == (["access-denied"], None)


def test_presence_at_the_target_does_not_grant_access(
    system: Webhook, private: MemoryRegistry, target: MemoryRegistry
) -> None:
    image = sample_image(seed=81, layers=1, layer_bytes=1000)
    image.load(target.storage, mirror_name(private, "team/hidden"), "1.0")
    set_policies(system, target, imageCopyDeadline="3600ms")

    response = system.admit(pod_of(f"{private.host}/team/hidden:1.0"))

    assert (system.reasons(response), swapped(response)) == (["access-unknown"], None)


def test_invalid_pod_fields_do_not_break_database_writes(
    system: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    """A pod is validated only after its admission, so invalid fields must not break the database for others."""
    set_policies(system, target, imageCopyDeadline="3700ms")
    earlier = len(system.log_lines())
    sample_image(seed=90, layers=1, layer_bytes=1000).load(source.storage, "team/odd-names", "1.0")
    image = f"{source.host}/team/odd-names:1.0"
    pod = pod_of(image)
    pod["spec"] |= {"serviceAccountName": "\0" * 9, "imagePullSecrets": [{"name": "a\0b"}, {"name": "x" * 9000}]}
    owner = {"controller": True, "kind": "\0", "name": "n\0" * 500}
    pod["metadata"] |= {"ownerReferences": [owner], "name": "\0"}

    for _ in range(3):
        assert system.admit(pod, namespace="\0" * 70).allowed
    wait_until_swapped(system, image)

    assert not [line for line in system.log_lines()[earlier:] if line["level"] == "error"]
