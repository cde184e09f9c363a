"""An error inside the webhook: the pod is admitted unchanged with a warning, or denied if that is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import DatabaseTemplate
from tests.support.system import pod_of, running_webhook

BROKEN = {"DJANGO_SETTINGS_MODULE": "tests.webhook.broken_settings"}


@pytest.mark.parametrize(("keys", "is_allowed"), [({}, True), ({"onError": "deny"}, False)], ids=["allow", "deny"])
def test_an_internal_error_is_logged_and_admits_the_pod_unless_set_to_deny(
    keys: dict[str, Any], is_allowed: bool, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    with running_webhook(
        tmp_path, database_template, target="mirror.example.com:5000", extra=BROKEN, **keys
    ) as webhook:
        response = webhook.admit(pod_of("nginx"))
        uid = response.response["uid"]
        assert response.allowed is is_allowed and response.patch == []
        reported = response.response["warnings"][0] if is_allowed else response.response["status"]["message"]
        assert uid in reported and "the images were not changed" in reported
        (line,) = [line for line in webhook.log_lines() if line.get("uid") == uid]
        assert "RuntimeError: nobody foresaw this" in line["exception"]
        seen = webhook.metrics()
        assert seen['swapper_admission_requests_total{operation="CREATE",outcome="error"}'] == 1
        assert seen['swapper_images_total{decision="keep",reason="error"}'] == 1
        assert seen["swapper_admission_duration_seconds_count"] == 1
