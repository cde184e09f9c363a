"""Serializers of the API, one file per resource, with the same file name as its model, view, service and admin."""

from mirrors.api.serializers.activity import (
    ActionSerializer,
)
from mirrors.api.serializers.admissions import (
    AdmissionDetailSerializer,
    AdmissionSerializer,
    DecidedImageSerializer,
)
from mirrors.api.serializers.backfill import (
    BackfillDetailSerializer,
    BackfillImageSerializer,
    BackfillPreviewSerializer,
    BackfillProgressSerializer,
    BackfillSerializer,
)
from mirrors.api.serializers.clusters import ClusterNodeSerializer, ClusterSerializer
from mirrors.api.serializers.filter_trials import (
    ChangeSerializer,
    FilterAnswerSerializer,
    FilterImpactSerializer,
    FilterTestSerializer,
    ImpactSerializer,
)
from mirrors.api.serializers.filters import (
    FilterInForceSerializer,
    FilterSerializer,
)
from mirrors.api.serializers.hosts import (
    HostSerializer,
)
from mirrors.api.serializers.jobs import (
    AttemptSerializer,
    BlobProgressSerializer,
    ImageBatchResultSerializer,
    ImageBatchSerializer,
    ImageToMirrorSerializer,
    JobSerializer,
    PrioritySerializer,
    ProgressSerializer,
    RetriedSerializer,
    RetryFailedSerializer,
)
from mirrors.api.serializers.mappings import (
    AccessSerializer,
    MappingDetailSerializer,
    MappingSerializer,
)
from mirrors.api.serializers.processes import (
    InstanceSerializer,
)
from mirrors.api.serializers.pull_failures import PullFailureSerializer
from mirrors.api.serializers.readiness import (
    MirrorMissingSerializer,
    MissingMirroredSerializer,
    ReadinessQuerySerializer,
    ReadinessSerializer,
)
from mirrors.api.serializers.registries import (
    CheckSerializer,
    RegistryInForceSerializer,
    RegistrySerializer,
    StepSerializer,
)
from mirrors.api.serializers.repositories import (
    RepositorySerializer,
)
from mirrors.api.serializers.running_images import RunningImageSerializer
from mirrors.api.serializers.statistics import (
    CoverageSerializer,
    HealthSerializer,
    PointSerializer,
    QueueLineSerializer,
    RangeSerializer,
    StatsSerializer,
)
from mirrors.api.serializers.suspensions import RestartLoopSerializer, TargetHealthSerializer
from mirrors.api.serializers.tokens import CreatedTokenSerializer, NewTokenSerializer, TokenSerializer
from mirrors.api.serializers.workloads import (
    UseSerializer,
)

__all__ = [
    "AccessSerializer",
    "ActionSerializer",
    "AdmissionDetailSerializer",
    "AdmissionSerializer",
    "AttemptSerializer",
    "BackfillDetailSerializer",
    "BackfillImageSerializer",
    "BackfillPreviewSerializer",
    "BackfillProgressSerializer",
    "BackfillSerializer",
    "BlobProgressSerializer",
    "ChangeSerializer",
    "ClusterNodeSerializer",
    "ClusterSerializer",
    "CheckSerializer",
    "CoverageSerializer",
    "CreatedTokenSerializer",
    "DecidedImageSerializer",
    "FilterAnswerSerializer",
    "FilterImpactSerializer",
    "FilterInForceSerializer",
    "FilterSerializer",
    "FilterTestSerializer",
    "HealthSerializer",
    "HostSerializer",
    "ImageBatchResultSerializer",
    "ImageBatchSerializer",
    "ImageToMirrorSerializer",
    "ImpactSerializer",
    "InstanceSerializer",
    "JobSerializer",
    "MappingDetailSerializer",
    "MappingSerializer",
    "MirrorMissingSerializer",
    "MissingMirroredSerializer",
    "NewTokenSerializer",
    "PointSerializer",
    "PrioritySerializer",
    "ProgressSerializer",
    "PullFailureSerializer",
    "QueueLineSerializer",
    "RangeSerializer",
    "ReadinessQuerySerializer",
    "ReadinessSerializer",
    "RegistryInForceSerializer",
    "RegistrySerializer",
    "RepositorySerializer",
    "RestartLoopSerializer",
    "RetriedSerializer",
    "RetryFailedSerializer",
    "RunningImageSerializer",
    "StatsSerializer",
    "StepSerializer",
    "TargetHealthSerializer",
    "TokenSerializer",
    "UseSerializer",
]
