"""The types that lightkube decodes into, made ready before threads use it.

msgspec looks into a type when it is decoded for the first time. Two threads that do so at once with types that have a
part in common end the process with a segmentation fault (msgspec 0.22, with the interpreter's lock). So one thread
does it for all types that the product reads, before the first request.
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
"""Kinds with a pod template that are read one by one."""

WATCHED: Final = (watched_objects.Pod, watched_objects.Node, *watched_objects.WATCHED_WORKLOADS)
"""Kinds that are listed and watched."""

_ALONE: Final[tuple[Any, ...]] = (
    *(Context, Cluster, User),
    *(Namespace, Pod, Secret, ServiceAccount, MutatingWebhookConfiguration),
    *WORKLOADS,
)
_lock = threading.Lock()


def make_ready() -> None:
    """Look into all types, once a process: 20 ms of CPU. May be called by any thread."""
    with _lock:
        _look_into_types()


@cache
def _look_into_types() -> None:
    for kind in _ALONE:
        msgspec.json.Decoder(kind)
    for kind in WATCHED:
        decoders.decode_list(b'{"items": []}', kind)
    decoders.decode_watch_event(b'{"type": "", "object": {}}')
    decoders.decode_status(b"{}")
