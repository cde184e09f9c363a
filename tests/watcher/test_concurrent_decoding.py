"""Threads that decode objects of the API server for the first time, all at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.databases import ROOT

PROCESSES = 20
"""Nearly all of these processes would exit with a segmentation fault if each thread resolved the types separately."""

READ_AT_ONCE = f"""
import contextlib, os, sys, threading
import msgspec
from lightkube.core.decoders import decode_list, decode_object
from mirrors.kubernetes.api_server.api_client import WORKLOAD_KINDS, Pod, Secret, client
from mirrors.kubernetes.objects import watched_objects

KINDS = (Pod, Secret, *WORKLOAD_KINDS.values(), watched_objects.Pod, watched_objects.Node)
KINDS += watched_objects.WATCHED_WORKLOADS
OBJECT = b'{{"metadata": {{"ownerReferences": []}}, "spec": {{"template": {{"spec": {{"containers": []}}}}}}}}'

def read(kind):
    barrier.wait()
    client()
    with contextlib.suppress(msgspec.ValidationError):  # where a kind has other fields that it needs
        decode_object(OBJECT, kind)
    if kind.__module__ == watched_objects.__name__:
        decode_list(b'{{"items": [' + OBJECT + b']}}', kind)

sys.setswitchinterval(1e-6)
statuses = []
for _ in range({PROCESSES}):
    if not (child := os.fork()):
        barrier = threading.Barrier(len(KINDS))
        threads = [threading.Thread(target=read, args=(kind,)) for kind in KINDS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(sum(status != 0 for status in statuses))
"""


def test_concurrent_first_decoding_in_many_threads_does_not_crash(plane: ControlPlane, tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(plane.kubeconfig(ADMIN)), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", READ_AT_ONCE]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert (result.stdout.strip(), result.stderr) == ("0", "")
