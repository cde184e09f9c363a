"""A registry that was added in the admin: its credentials serve only the namespaces of its row."""

from __future__ import annotations

from pathlib import Path

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate, query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.system import pod_of, running_webhook

PASSWORD = "password-of-the-robot"
ROW = (
    "INSERT INTO mirrors_registry (name, role, kind, endpoint, prefix, username, credential_ref, namespaces, insecure, "
    "ca_file, settings, managed_by, enabled, created_at, updated_at) VALUES ('ours', 'source', 'oci', '{host}', '', "
    "'robot', 'file:robot', '[\"shop\"]', true, '', '{{}}', 'operator', true, '2026-01-01', '2026-01-01')"
)
RAISE = "UPDATE mirrors_revision SET number = number + 1 WHERE \"table\" = 'mirrors_registry'"


def test_only_the_namespaces_of_a_registry_row_use_its_credentials(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/robot").write_text(PASSWORD)
    gate = Gatekeeper("token", "robot", PASSWORD)
    with (
        FaultyRegistry(gatekeeper=gate) as source,
        running_webhook(tmp_path, database_template, target=target.host) as webhook,
    ):
        sample_image(layers=1, layer_bytes=100).load(source.storage, "team/secret", "1.0")
        query(webhook.database_url, ROW.format(host=source.host))
        query(webhook.database_url, RAISE)
        pod = pod_of(f"{source.host}/team/secret:1.0")

        def reason(namespace: str) -> str:
            return webhook.reasons(webhook.admit(pod, namespace=namespace))[0]

        wait_until(lambda: reason("shop") == "absent", what="the row in the webhook")
        worker = webhook.worker()
        worker.start()
        try:
            wait_until(lambda: reason("shop") == "present", timeout=60, what="a swap in the namespace of the row")
            assert reason("other") == "access-denied"
        finally:
            worker.stop()
