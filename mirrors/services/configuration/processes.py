"""Running processes: each reports itself regularly, and deletes its row when it stops."""

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
    """Return the host (in a cluster, the pod) and the process ID."""
    return f"{socket.gethostname()}:{os.getpid()}"[:255]


RANDOM_CHARACTERS: Final = 8
"""Characters of the random part of a holder's name. Without it, two processes with the same name would use each other's
shares and leases."""


def holder_name() -> str:
    """Return a name for this process as the holder of shares and leases: its instance name, truncated, and a random
    part."""
    return f"{instance_name()[:200]} {uuid.uuid4().hex[:RANDOM_CHARACTERS]}"


def report_instance(*, role: str, facts: Mapping[str, Any], cluster: str = DEFAULT_CLUSTER) -> None:
    """Record that this process is running in a cluster, with its facts."""
    defaults = {"facts": dict(facts), "started_at": STARTED_AT, "seen_at": Now()}
    Instance.objects.update_or_create(role=role, cluster=cluster, name=instance_name(), defaults=defaults)


def withdraw_instance(*, role: str, cluster: str = DEFAULT_CLUSTER) -> None:
    """Delete the row of this process, which is about to stop."""
    Instance.objects.filter(role=role, cluster=cluster, name=instance_name()).delete()
