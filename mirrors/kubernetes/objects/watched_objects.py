"""The kinds that a watcher reads, reduced to the few fields that it uses: lightkube decodes no others."""

from __future__ import annotations

from typing import Final

from lightkube.core.dictmixin import DictMixin
from lightkube.core.resource import GlobalResource, NamespacedResourceG
from lightkube.models.meta_v1 import OwnerReference
from lightkube.resources import apps_v1, batch_v1, core_v1


class Metadata(DictMixin):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815
    creationTimestamp: str = ""  # noqa: N815
    deletionTimestamp: str = ""  # noqa: N815
    deletionGracePeriodSeconds: int = 0  # noqa: N815
    labels: dict[str, str] | None = None
    ownerReferences: list[OwnerReference] | None = None  # noqa: N815


class Container(DictMixin):
    name: str = ""
    image: str = ""


class ImageVolumeSource(DictMixin):
    reference: str = ""


class Volume(DictMixin):
    name: str = ""
    image: ImageVolumeSource | None = None


class PodSpec(DictMixin):
    nodeName: str = ""  # noqa: N815
    initContainers: list[Container] | None = None  # noqa: N815
    containers: list[Container] | None = None
    ephemeralContainers: list[Container] | None = None  # noqa: N815
    volumes: list[Volume] | None = None


class Waiting(DictMixin):
    reason: str = ""
    message: str = ""


class Started(DictMixin):
    """The state ``running`` or ``terminated``. Only its presence matters."""


class State(DictMixin):
    waiting: Waiting | None = None
    running: Started | None = None
    terminated: Started | None = None


class ContainerStatus(DictMixin):
    name: str = ""
    imageID: str = ""  # noqa: N815
    state: State | None = None
    lastState: State | None = None  # noqa: N815


class PodStatus(DictMixin):
    phase: str = ""
    initContainerStatuses: list[ContainerStatus] | None = None  # noqa: N815
    containerStatuses: list[ContainerStatus] | None = None  # noqa: N815
    ephemeralContainerStatuses: list[ContainerStatus] | None = None  # noqa: N815


class Pod(NamespacedResourceG, DictMixin):
    _api_info = core_v1.Pod._api_info
    metadata: Metadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


class NodeInfo(DictMixin):
    operatingSystem: str = ""  # noqa: N815
    architecture: str = ""


class Condition(DictMixin):
    type: str = ""
    status: str = ""


class NodeStatus(DictMixin):
    nodeInfo: NodeInfo | None = None  # noqa: N815
    conditions: list[Condition] | None = None


class Node(GlobalResource, DictMixin):
    _api_info = core_v1.Node._api_info
    metadata: Metadata
    status: NodeStatus | None = None


class PodTemplate(DictMixin):
    spec: PodSpec | None = None


class WorkloadSpec(DictMixin):
    template: PodTemplate | None = None


class WorkloadStatus(DictMixin):
    conditions: list[Condition] | None = None


class _Workload(NamespacedResourceG, DictMixin):
    metadata: Metadata
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


class Deployment(_Workload):
    _api_info = apps_v1.Deployment._api_info


class StatefulSet(_Workload):
    _api_info = apps_v1.StatefulSet._api_info


class DaemonSet(_Workload):
    _api_info = apps_v1.DaemonSet._api_info


class ReplicaSet(_Workload):
    _api_info = apps_v1.ReplicaSet._api_info


class Job(_Workload):
    _api_info = batch_v1.Job._api_info


class CronJobTemplate(DictMixin):
    spec: WorkloadSpec | None = None


class CronJobSpec(DictMixin):
    jobTemplate: CronJobTemplate | None = None  # noqa: N815


class CronJob(NamespacedResourceG, DictMixin):
    _api_info = batch_v1.CronJob._api_info
    metadata: Metadata
    spec: CronJobSpec | None = None


WATCHED_WORKLOADS: Final = (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob)
"""The watched kinds that have a pod template."""

Watched = Pod | Node | _Workload | CronJob
