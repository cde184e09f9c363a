"""A review of very many images does not slow down others: only a bounded number is checked, listed and logged."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate
from tests.support.system import Webhook, pod_of, review_of, run_manage, running_webhook
from tests.webhook.mirrored import embedded_webhook, known_pods

MOST = 1_000
TOO_MANY = 'swapper_images_total{decision="keep",reason="too-many-images"}'


def numbered(count: int) -> dict[str, Any]:
    return pod_of(*(f"example.com/app-{number}" for number in range(count)))


def line_of(webhook: Webhook, uid: str) -> dict[str, Any]:
    (line,) = [line for line in webhook.log_lines() if line.get("uid") == uid and line["message"] == "Admitted"]
    return line


def test_the_first_thousand_images_are_reviewed_and_the_others_kept(always: Webhook) -> None:
    before = always.metrics().get(TOO_MANY, 0)

    response = always.admit(numbered(MOST + 234))

    assert len(response.images) == MOST
    assert f"/spec/containers/{MOST}/image" not in response.images
    assert always.metrics()[TOO_MANY] == before + 234
    assert response.response["warnings"] == [
        "k8s-image-swapper: this pod has more images than one review allows; 234 images were not changed"
    ]
    line = line_of(always, response.response["uid"])
    assert len(line["images"]) == 20
    assert line["more-images"] == MOST + 234 - 20


def test_a_pod_with_exactly_a_thousand_images_is_fully_reviewed(always: Webhook) -> None:
    response = always.admit(numbered(MOST))

    assert len(response.images) == MOST
    assert "warnings" not in response.response


def test_the_image_limit_applies_to_all_containers_and_volumes_together(always: Webhook) -> None:
    pod = numbered(600)
    pod["spec"]["initContainers"] = [{"name": f"i{n}", "image": f"example.com/init-{n}"} for n in range(600)]
    pod["spec"]["volumes"] = [{"name": "v", "image": {"reference": "example.com/volume"}}]
    before = always.metrics().get(TOO_MANY, 0)

    assert len(always.admit(pod).images) == MOST
    assert always.metrics()[TOO_MANY] == before + 201


def test_updates_review_only_changed_images_and_debug_containers_are_limited(always: Webhook) -> None:
    old, new = numbered(1_500), numbered(1_500)
    new["spec"]["containers"][3]["image"] = "example.com/changed"
    assert list(always.admit(new, operation="UPDATE", old=old).images) == ["/spec/containers/3/image"]

    new = {**old, "spec": {**old["spec"], "ephemeralContainers": [
        {"name": f"d{n}", "image": f"example.com/debug-{n}"} for n in range(1_300)]}}  # fmt: skip
    response = always.admit(new, operation="UPDATE", sub_resource="ephemeralcontainers", old=old)
    assert len(response.images) == MOST


def test_long_names_and_images_are_truncated_in_the_log(always: Webhook) -> None:
    pod = pod_of("x" * 1_000_000, name="n" * 500_000)

    response = always.admit(pod, namespace="s" * 500_000)

    assert len(json.dumps(line_of(always, response.response["uid"]))) < 4_000


def test_a_pod_with_too_many_images_is_denied_with_enforce(
    database_template: DatabaseTemplate, target: MemoryRegistry, tmp_path: Path
) -> None:
    """The unchecked images might include another namespace's private mirror."""
    with running_webhook(tmp_path, database_template, target=target.host, privateImages="enforce") as webhook:
        assert webhook.admit(numbered(MOST)).allowed
        response = webhook.admit(numbered(MOST + 1))

        assert not response.allowed
        assert "more images than one review allows; use several pods" in response.response["status"]["message"]


def test_explain_limits_the_number_of_listed_images(always: Webhook, tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(numbered(3_000)))

    reported = json.loads(run_manage("explain", "--json", str(file), environment=always.environment).stdout)

    (pod,) = reported if isinstance(reported, list) else reported["pods"]
    reasons = Counter(image["reason"] for image in pod["images"])
    assert reasons == {"policy-always": MOST, "too-many-images": 20}
    assert "2000 images were not changed" in pod["warnings"][0]


def test_known_pods_are_swapped_in_time_during_reviews_of_very_many_images(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, target) as webhook:
        body = json.dumps(review_of({"spec": {"containers": [{"image": f"a/b{n}"} for n in range(100_000)]}})).encode()
        with known_pods(webhook, source), ThreadPoolExecutor(2) as pool:
            answered = [pool.submit(webhook.post, body) for _ in range(8)]
            assert {future.result().status for future in answered} == {200}
        logged = [len(line) for line in webhook.log_text().splitlines()]
        assert max(logged) < 20_000
