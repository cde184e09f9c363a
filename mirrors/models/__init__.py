"""The rows: mappings, jobs, requests, results. One file per topic."""

from mirrors.models.accounting import DecisionCount, ImageUse
from mirrors.models.action import OperatorAction
from mirrors.models.backfill import BackfillImage, BackfillImageState, BackfillRun, BackfillState
from mirrors.models.check import CheckStatus, RegistryCheck
from mirrors.models.cluster import Cluster, ClusterNode, RunningImage, RunningState
from mirrors.models.filter import Filter
from mirrors.models.hosts import BlobLocation, BudgetShare, HostBudget
from mirrors.models.image_mapping import Access, Existence, ImageMapping, MappingAccess, Obstacle
from mirrors.models.instance import Instance, InstanceRole
from mirrors.models.job_errors import ErrorClass
from mirrors.models.mirror_job import (
    JobStatus,
    MirrorJob,
    MirrorRequest,
    Priority,
    ReferrersStatus,
    Trigger,
)
from mirrors.models.progress import AttemptOutcome, JobProgress, MirrorAttempt
from mirrors.models.pull_failure import HealthState, PullFailure, TargetHealth
from mirrors.models.readiness_sample import ReadinessSample
from mirrors.models.registry import ManagedBy, Registry, RegistryKind, RegistryRole
from mirrors.models.repository import TargetRepository
from mirrors.models.restart_loop import RestartLoop
from mirrors.models.revision import Revision
from mirrors.models.sample import AdmissionSample
from mirrors.models.work_lease import WorkLease
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER

__all__ = [
    "Access",
    "AdmissionSample",
    "AttemptOutcome",
    "BackfillImage",
    "BackfillImageState",
    "BackfillRun",
    "BackfillState",
    "BlobLocation",
    "BudgetShare",
    "DEFAULT_CLUSTER",
    "CheckStatus",
    "Cluster",
    "ClusterNode",
    "DecisionCount",
    "ErrorClass",
    "Existence",
    "Filter",
    "HealthState",
    "HostBudget",
    "ImageMapping",
    "ImageUse",
    "Instance",
    "InstanceRole",
    "JobProgress",
    "JobStatus",
    "ManagedBy",
    "MappingAccess",
    "MirrorAttempt",
    "MirrorJob",
    "MirrorRequest",
    "Obstacle",
    "OperatorAction",
    "Priority",
    "PullFailure",
    "ReadinessSample",
    "Registry",
    "ReferrersStatus",
    "RegistryCheck",
    "RegistryKind",
    "RegistryRole",
    "RestartLoop",
    "RunningImage",
    "RunningState",
    "Revision",
    "TargetHealth",
    "TargetRepository",
    "Trigger",
    "WorkLease",
]
