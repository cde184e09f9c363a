"""Django models: mappings, jobs, requests, results, with one folder per subject. Start with ``images/mappings.py``.

Import all models and their choices from this package, and helpers of one model from its file.
"""

from mirrors.models.base.revisions import Revision
from mirrors.models.clusters.backfill import BackfillImage, BackfillImageState, BackfillRun, BackfillState
from mirrors.models.clusters.clusters import Cluster, ClusterNode, RunningImage, RunningState
from mirrors.models.clusters.pull_failures import PullFailure
from mirrors.models.clusters.readiness import ReadinessSample
from mirrors.models.clusters.suspensions import HealthState, RestartLoop, TargetHealth
from mirrors.models.configuration.filters import Filter
from mirrors.models.configuration.processes import Instance, InstanceRole
from mirrors.models.configuration.registries import ManagedBy, Registry, RegistryKind, RegistryRole
from mirrors.models.configuration.registry_checks import CheckStatus, RegistryCheck
from mirrors.models.configuration.repositories import TargetRepository
from mirrors.models.images.admissions import AdmissionSample
from mirrors.models.images.decisions import DecisionCount
from mirrors.models.images.mappings import NOT_PUBLIC, Access, Existence, ImageMapping, MappingAccess, Obstacle
from mirrors.models.images.workloads import ImageUse
from mirrors.models.jobs.activity import OperatorAction
from mirrors.models.jobs.attempts import AttemptOutcome, JobProgress, MirrorAttempt
from mirrors.models.jobs.blobs import BlobLocation
from mirrors.models.jobs.hosts import PULLS, BudgetShare, HostBudget
from mirrors.models.jobs.job_errors import ErrorClass
from mirrors.models.jobs.jobs import (
    JobStatus,
    MirrorJob,
    MirrorRequest,
    Priority,
    ReferrersStatus,
    Trigger,
)
from mirrors.models.jobs.work_leases import WorkLease
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
    "NOT_PUBLIC",
    "MirrorAttempt",
    "MirrorJob",
    "MirrorRequest",
    "PULLS",
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
