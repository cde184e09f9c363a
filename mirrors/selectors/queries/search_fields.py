"""The fields that a search covers, by model; the same in the admin and in the API."""

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
"""For large tables, only columns that a search index serves (``mirrors/models/base/indexes.py``)."""
