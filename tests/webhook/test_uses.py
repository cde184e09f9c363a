"""Workloads that use an image are recorded, including the first one that ever requested it."""

from __future__ import annotations

from pathlib import Path

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, run_manage
from tests.webhook.mirrored import embedded_webhook, image

USES = """
SELECT u.namespace FROM mirrors_imageuse AS u JOIN mirrors_imagemapping AS m ON m.id = u.mapping_id
WHERE m.source LIKE '%{name}:1.0' ORDER BY u.namespace
"""


def users(webhook: Webhook, name: str) -> list[str]:
    return [row[0] for row in query(webhook.database_url, USES.format(name=name))]


def test_the_pod_that_creates_a_mapping_is_recorded_as_its_first_use(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, target) as webhook:
        webhook.admit(pod_of(image(source, "new"), f"{source.host}/team/missing:1.0"), namespace="shop")

        wait_until(lambda: users(webhook, "new") == ["shop"], what="the use of a new image")
        wait_until(lambda: users(webhook, "missing") == ["shop"], what="the use of an image that cannot be copied")


def test_a_use_is_recorded_when_its_mapping_is_created_later(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    """The pod causes no request. A user mirrors the image some flushes later."""
    with embedded_webhook(tmp_path, source, target, imageCopyPolicy="none") as webhook:
        webhook.admit(pod_of(image(source, "new"), image(source, "known")), namespace="shop")
        # Written with the flush that found no mapping of the other image.
        wait_until(lambda: "shop" in users(webhook, "known"), what="the use of a known image")
        assert users(webhook, "new") == []
        run_manage("mirror", image(source, "new"), environment=webhook.environment)

        wait_until(lambda: users(webhook, "new") == ["shop"], what="the use of a mapping that came later")
