"""The types that lightkube decodes, inspected by msgspec before several threads use them.

msgspec inspects a type when the type is decoded for the first time. If two threads do this concurrently for types that
share a part, the process crashes with a segmentation fault (msgspec 0.22, with the GIL). Therefore one thread triggers
the inspection of all types that the product reads, before the first request.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

import msgspec
from lightkube.config.models import Cluster, Context, User
from lightkube.core import decoders
from lightkube.resources import apps_v1, batch_v1
from lightkube.resources.admissionregistration_v1 import MutatingWebhookConfiguration
from lightkube.resources.core_v1 import Namespace, Pod, Secret, ServiceAccount

from mirrors.kubernetes.objects import watched_objects

WORKLOADS: Final = (
    apps_v1.Deployment,
    apps_v1.StatefulSet,
    apps_v1.DaemonSet,
    apps_v1.ReplicaSet,
    batch_v1.Job,
    batch_v1.CronJob,
)
"""Kinds with a pod template that are read as single objects."""

WATCHED: Final = (watched_objects.Pod, watched_objects.Node, *watched_objects.WATCHED_WORKLOADS)
"""Kinds that are listed and watched."""

_SINGLE_OBJECTS: Final[tuple[Any, ...]] = (
    *(Context, Cluster, User),
    *(Namespace, Pod, Secret, ServiceAccount, MutatingWebhookConfiguration),
    *WORKLOADS,
)
_lock = threading.Lock()


def warm_up_decoders() -> None:
    """Let msgspec inspect all types, once per process (20 ms of CPU). Thread-safe."""
    with _lock:
        _inspect_types()


@cache
def _inspect_types() -> None:
    for kind in _SINGLE_OBJECTS:
        msgspec.json.Decoder(kind)
    for kind in WATCHED:
        decoders.decode_list(b'{"items": []}', kind)
    decoders.decode_watch_event(b'{"type": "", "object": {}}')
    decoders.decode_status(b"{}")
