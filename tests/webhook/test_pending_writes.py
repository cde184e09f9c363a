"""Writes that fail because the database does not respond are repeated, once, when it responds again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from mirrors.models import DecisionCount, ImageMapping, ImageUse, Registry, RegistryRole
from mirrors.services import DecisionKey, UseKey
from webhook.database.pending_writes import PendingWrites

SOURCE = "docker.io/library/nginx:1"


def refusing(table: str) -> Callable[..., Any]:
    """Return an execute wrapper that fails at the first statement about the table."""

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            raise OperationalError("database is locked")
        return run(sql, params, many, context)

    return execute


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["mirrors_imageuse", "mirrors_decisioncount"])
def test_failed_writes_are_kept_and_written_once_by_the_next_flush(table: str) -> None:
    target = Registry.objects.create(endpoint="mirror.example.com", role=RegistryRole.TARGET)
    ImageMapping.objects.create(target_registry=target, source=SOURCE, target=f"mirror.example.com/{SOURCE}")
    pending = PendingWrites()
    decision = DecisionKey(DecisionKey.this_hour(), "shop", "docker.io", "keep", "absent")
    use = UseKey(SOURCE, "shop", "Deployment", "web")
    pending.add_review({decision: 3}, [use])

    with connection.execute_wrapper(refusing(table)), pytest.raises(OperationalError):
        pending.flush_counts(target.pk, "default")
    pending.add_review({decision: 2}, [use])
    while pending.flush_counts(target.pk, "default"):
        pass

    assert DecisionCount.objects.get().images == 5
    assert ImageUse.objects.get().workload == "web"
