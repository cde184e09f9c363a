"""Running processes: each reports regularly, and deletes its row when it stops."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models.functions import Now

from mirrors.models import DEFAULT_CLUSTER, Instance

STARTED_AT: Final = datetime.now(UTC)


def instance_name() -> str:
    """Host (in a cluster the pod) and process."""
    return f"{socket.gethostname()}:{os.getpid()}"[:255]


RANDOM_CHARACTERS: Final = 8
"""Of a holder's name: two processes of one name would take each other's shares and leases."""


def holder_name() -> str:
    """Of this process as the holder of shares and leases: its name, cut to leave room, and a random part."""
    return f"{instance_name()[:200]} {uuid.uuid4().hex[:RANDOM_CHARACTERS]}"


def report_instance(*, role: str, facts: Mapping[str, Any], cluster: str = DEFAULT_CLUSTER) -> None:
    """Records that this process is running in a cluster, with its facts."""
    defaults = {"facts": dict(facts), "started_at": STARTED_AT, "seen_at": Now()}
    Instance.objects.update_or_create(role=role, cluster=cluster, name=instance_name(), defaults=defaults)


def withdraw_instance(*, role: str, cluster: str = DEFAULT_CLUSTER) -> None:
    """This process ends."""
    Instance.objects.filter(role=role, cluster=cluster, name=instance_name()).delete()
