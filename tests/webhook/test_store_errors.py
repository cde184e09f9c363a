"""A repeated error in one task of the store does not prevent other tasks, and does not fill the log."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import yaml

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.support.system import pod_of, run_manage
from tests.webhook.mirrored import embedded_webhook, image, reason

MESSAGE = "An error occurred in the database thread; it continues"


def test_an_unreadable_row_does_not_stop_filters_or_counts(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, target) as webhook:
        spoil = (
            "UPDATE mirrors_imagemapping SET verified_at = '2026-99-99 00:00:00', changed_at = '2100-01-01 00:00:00'"
        )
        query(webhook.database_url, f"{spoil} WHERE source LIKE '%unseen%'")
        wait_until(lambda: MESSAGE in webhook.log_text(), what="the first error")

        # Operators' rows are applied, reviews are answered, and counts are written.
        row = "name='a', jmespath='contains(container.image, `new`)'"
        edit = f"from mirrors.models import Filter; Filter.objects.create({row})"
        run_manage("shell", "-v0", "-c", edit, environment=webhook.environment)
        wait_until(lambda: reason(webhook, source, "new") == "filtered", what="an operator's filter")
        webhook.admit(pod_of(image(source, "known")), namespace="counted")
        counted = "SELECT 1 FROM mirrors_decisioncount WHERE namespace = 'counted'"
        wait_until(lambda: query(webhook.database_url, counted), what="a flush")
        assert webhook.log_text().count(MESSAGE) <= 3
        assert webhook.metrics()["swapper_database_available"] == 1


def test_a_recurring_target_problem_is_logged_again(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    message = "The target registry cannot be used"
    with embedded_webhook(tmp_path, source, target) as webhook:
        document = yaml.safe_load(webhook.config.read_text())
        document["target"]["oci"] |= {"username": "robot", "passwordFile": str(password)}
        webhook.config.write_text(yaml.safe_dump(document))
        password.unlink()
        wait_until(lambda: webhook.log_text().count(message) == 1, what="the problem")
        password.write_text("secret")
        # Only a webhook that has the password can determine that an image is absent from the target.
        names = count()
        wait_until(lambda: reason(webhook, source, f"new-{next(names)}") == "absent", what="the password to be read")
        password.unlink()
        wait_until(lambda: webhook.log_text().count(message) == 2, what="the same problem later")
