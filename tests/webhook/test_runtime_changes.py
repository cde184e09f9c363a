"""Changes that a running webhook applies without a restart: configuration file, switch and operators' rows. Also dry
run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate, query
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, review_of, run_manage, running_webhook, write_config

TOKEN = "s3cret-path-0123456789"
POLICIES = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}


@pytest.fixture(scope="module")
def live(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook on a secret path. The tests of this module change its configuration file and switch."""
    directory = tmp_path_factory.mktemp("live")
    extra = {"SWAPPER_SWAP_FILE": str(directory / "switch"), "SWAPPER_WEBHOOK_TOKEN": TOKEN}
    with running_webhook(directory, database_template, target=target.host, extra=extra, **POLICIES) as webhook:
        webhook.path = f"/webhook/{TOKEN}"
        yield webhook


@pytest.fixture(autouse=True)
def reset(live: Webhook, target: MemoryRegistry) -> None:
    """Start each test with a webhook that always swaps and copies nothing."""
    configure(live, target)
    switch(live, "on")
    wait_until(lambda: reason(live) == "policy-always")


def configure(webhook: Webhook, target: MemoryRegistry, **keys: Any) -> None:
    write_config(webhook.config, target=target.host, **{**POLICIES, **keys})


def switch(webhook: Webhook, text: str) -> None:
    Path(webhook.extra["SWAPPER_SWAP_FILE"]).write_text(f"{text}\n")


def reason(webhook: Webhook, image: str = "example.com/always-there:1") -> str:
    return webhook.reasons(webhook.admit(pod_of(image)))[0]


def seconds_until(condition: Callable[[], object]) -> float:
    started = time.monotonic()
    wait_until(condition)
    return time.monotonic() - started


def test_a_changed_configuration_is_applied_and_an_invalid_one_is_rejected(
    live: Webhook, target: MemoryRegistry
) -> None:
    configure(live, target, source={"filters": [{"jmespath": "contains(container.image, 'there')"}]})
    assert seconds_until(lambda: reason(live) == "filtered") < 5

    live.config.write_text("dryRun: maybe\nnonsense: 1\n")
    wait_until(
        lambda: any("configuration is not valid" in line["message"] for line in live.log_lines()),
        what="a refusal in the log",
    )
    assert reason(live) == "filtered"

    configure(live, target)
    assert seconds_until(lambda: reason(live) == "policy-always") < 5


def test_the_kill_switch_stops_swapping_within_5_seconds(live: Webhook) -> None:
    switch(live, "off")
    assert seconds_until(lambda: reason(live) == "switched-off") < 5
    assert live.admit(pod_of("nginx:1")).patch == []

    switch(live, "on")
    assert seconds_until(lambda: reason(live) == "policy-always") < 5


@pytest.mark.parametrize("text", ["OFF", '"off"', "off # incident 42", "\ufeffoff", "false", "disabled"])
def test_variants_of_off_disable_swapping(live: Webhook, text: str) -> None:
    switch(live, text)
    assert seconds_until(lambda: reason(live) == "switched-off") < 5


@pytest.mark.parametrize("content", [b"maybe\n", b"\xff\xfe\x00\x01"], ids=["no such word", "no text"])
def test_an_invalid_kill_switch_is_logged_and_configuration_still_reloads(
    live: Webhook, target: MemoryRegistry, content: bytes
) -> None:
    Path(live.extra["SWAPPER_SWAP_FILE"]).write_bytes(content)
    wait_until(lambda: "The kill switch file contains neither on nor off" in live.log_text(), what="a complaint")
    # The configuration is still watched.
    configure(live, target, dryRun=True)
    wait_until(lambda: reason(live) == "dry-run", what="the changed configuration")


def test_reviews_do_not_wait_for_copies_while_swapping_is_off(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, imageCopyPolicy="immediate", imageSwapPolicy="exists")
    switch(live, "off")
    wait_until(lambda: live.metrics()["swapper_swap_enabled"] == 0, what="the switch in the metrics")
    time_taken = seconds_until(lambda: reason(live, "example.com/waited-for:1"))
    assert time_taken < 4


def test_a_changed_log_level_is_applied_without_a_restart(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, logLevel="error")
    try:
        wait_until(lambda: not _is_logged(live), what="silence")
    finally:
        configure(live, target)
    wait_until(lambda: _is_logged(live), what="lines again")


def _is_logged(webhook: Webhook) -> bool:
    uid = webhook.admit(pod_of("example.com/quiet:1")).response["uid"]
    return any(line.get("uid") == uid for line in webhook.log_lines())


def test_an_operator_filter_is_applied_and_removed_within_seconds(live: Webhook) -> None:
    model = "from mirrors.models import Filter; Filter.objects"
    edit = f"{model}.create(name='ours', jmespath='contains(container.image, `there`)')"
    run_manage("shell", "-v0", "-c", edit, environment=live.environment)
    assert seconds_until(lambda: reason(live) == "filtered") < 2.5

    run_manage("shell", "-v0", "-c", f"{model}.all().delete()", environment=live.environment)
    assert seconds_until(lambda: reason(live) == "policy-always") < 2.5


def test_a_configured_dry_run_logs_the_decision_and_changes_nothing(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, dryRun=True, imageCopyPolicy="delayed")
    wait_until(lambda: reason(live) == "dry-run")

    response = live.admit(pod_of("example.com/dry:1"))

    assert response.patch == []
    (line,) = [line for line in live.log_lines() if line.get("uid") == response.response["uid"]]
    assert line["images"][0]["would"] == "policy-always"
    # Requests are written in order, so when this one is written, no earlier one is still in progress.
    configure(live, target, imageCopyPolicy="delayed")
    wait_until(lambda: reason(live) == "policy-always")
    order(live, "example.com/after-dry:1")
    assert sources(live, "%dry:1") == {"example.com/after-dry:1"}


def test_a_dry_run_request_gets_the_same_patch_and_writes_nothing(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, imageCopyPolicy="delayed", annotate=False)
    wait_until(lambda: len(live.admit(pod_of("nginx:1")).patch) == 1)

    dry = live.admit(pod_of("example.com/requested:1"), dryRun=True)
    order(live, "example.com/after-requested:1")
    assert sources(live, "%requested:1") == {"example.com/after-requested:1"}
    real = live.admit(pod_of("example.com/requested:1"))

    assert dry.patch == real.patch != []
    wait_until(lambda: len(sources(live, "%requested:1")) == 2, what="the order of the real request")


def test_reviews_outside_the_secret_path_write_nothing(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, imageCopyPolicy="delayed", annotate=False)
    wait_until(lambda: len(live.admit(pod_of("nginx:1")).patch) == 1)

    for path in ("/", "/webhook", "/webhook/wrong-path-0123456789"):
        assert live.review(review_of(pod_of("example.com/plain-path:1")), path=path).patch
    order(live, "example.com/secret-path:1")

    assert sources(live, "%-path:1") == {"example.com/secret-path:1"}


def test_a_burst_of_pods_queues_each_image_once(live: Webhook, target: MemoryRegistry) -> None:
    configure(live, target, imageCopyPolicy="delayed", annotate=False)
    wait_until(lambda: len(live.admit(pod_of("nginx:1")).patch) == 1)

    for _ in range(20):
        live.admit(pod_of("example.com/burst-1:1", "example.com/burst-2:1"))
    order(live, "example.com/burst-3:1")

    jobs = query(
        live.database_url,
        "SELECT m.source, count(*) FROM mirrors_mirrorjob j JOIN mirrors_imagemapping m ON m.id = j.mapping_id"
        " WHERE m.source LIKE 'example.com/burst%' GROUP BY m.source",
    )
    assert sorted(jobs) == [(f"example.com/burst-{number}:1", 1) for number in (1, 2, 3)]


def order(webhook: Webhook, image: str) -> None:
    """Request a copy of an image and wait until the request is written. Requests are written in order."""
    webhook.admit(pod_of(image))
    wait_until(lambda: sources(webhook, image), what=f"the order of {image}")


def sources(webhook: Webhook, pattern: str) -> set[str]:
    """Return the sources of mappings that match the LIKE pattern."""
    rows = query(webhook.database_url, f"SELECT source FROM mirrors_imagemapping WHERE source LIKE '{pattern}'")  # noqa: S608
    return {source for (source,) in rows}


def test_a_forgotten_mapping_is_removed_from_the_webhook(live: Webhook) -> None:
    image = "example.com/forgotten:1"
    made = "from mirrors.models import *; t=Registry.objects.get(role='target'); "
    made += f"ImageMapping.objects.create(source='{image}', target_registry=t, target='{{t}}/{image}', paused=True)"
    run_manage("shell", "-v0", "-c", made.replace("'{t}/", "f'{t.endpoint}/"), environment=live.environment)
    wait_until(lambda: reason(live, image) == "paused", what="the mapping")

    forget = "from mirrors import services; from mirrors.models import ImageMapping; services.forget_mappings("
    forget += f"mapping_ids=[ImageMapping.objects.get(source='{image}').pk], requested_by='olga')"
    run_manage("shell", "-v0", "-c", forget, environment=live.environment)

    assert seconds_until(lambda: reason(live, image) == "policy-always") < 5


def test_a_webhook_adds_its_instance_row_and_removes_it_when_stopped(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    with running_webhook(tmp_path, database_template, target=target.host, dryRun=True) as webhook:
        rows = "SELECT role, facts FROM mirrors_instance"
        wait_until(lambda: query(webhook.database_url, rows), what="its report")
        [(role, facts)] = query(webhook.database_url, rows)
        assert role == "webhook" and '"dry_run": true' in str(facts) and target.host in str(facts)
        webhook.stop()
        assert query(webhook.database_url, rows) == []
