"""What a search looks in, by kind of row: the same on a page of the admin and in its resource of the API."""

from __future__ import annotations

from typing import Final

from django.db.models import Model

from mirrors.models import (
    BackfillImage,
    BackfillRun,
    Cluster,
    ClusterNode,
    Filter,
    HostBudget,
    ImageMapping,
    ImageUse,
    Instance,
    MirrorJob,
    OperatorAction,
    PullFailure,
    Registry,
    RestartLoop,
    RunningImage,
    TargetHealth,
    TargetRepository,
)

SEARCH_FIELDS: Final[dict[type[Model], tuple[str, ...]]] = {
    BackfillImage: ("source",),
    BackfillRun: ("cluster",),
    Cluster: ("name",),
    ClusterNode: ("name", "cluster"),
    Filter: ("name", "jmespath"),
    HostBudget: ("host",),
    ImageMapping: ("source", "target"),
    ImageUse: ("namespace", "workload", "mapping__source"),
    Instance: ("name",),
    MirrorJob: ("mapping__source", "mapping__target"),
    OperatorAction: ("actor", "subject"),
    PullFailure: ("image", "source"),
    Registry: ("name", "endpoint"),
    RestartLoop: ("source", "namespace", "workload"),
    RunningImage: ("source", "image", "namespace", "workload"),
    TargetHealth: ("registry", "cluster"),
    TargetRepository: ("name",),
}
"""Of large tables, only columns that an index for search serves (``mirrors/models/base/indexes.py``)."""
