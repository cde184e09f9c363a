"""A cluster next to the running system: an API server whose pods have the states that tests report, and a watcher."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from tests.browser.accessibility import COLOURS, grave_faults
from tests.browser.pages import overflow, use_theme
from tests.browser.sites import System
from tests.browser.visits import DESK, PHONE
from tests.e2e.cluster.api import Api
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.ports import free_port
from tests.support.system import Process, run_manage
from tests.watcher.objects import Objects
from tests.watcher.watching import FAST

FORGET = """
from mirrors import models
kinds = (models.BackfillImage, models.BackfillRun, models.PullFailure, models.RestartLoop, models.TargetHealth)
kinds += (models.ReadinessSample, models.RunningImage, models.ClusterNode, models.Cluster)
for kind in kinds:
    kind.objects.all().delete()
"""


@contextmanager
def watched(system: System, plane: ControlPlane) -> Iterator[Objects]:
    """Run a watcher of the system on the cluster, and yield the cluster's objects."""
    environment = {
        **system.webhook.environment,
        "DJANGO_SETTINGS_MODULE": "tests.jobs.worker_settings",
        "TEST_JOB_TIMING": json.dumps(FAST),
        "SWAPPER_BIND": f"127.0.0.1:{free_port()}",
        "KUBECONFIG": str(plane.kubeconfig(ADMIN)),
    }
    forget_clusters(system)
    objects = Objects(Api(plane))
    objects.clear()
    process = Process([sys.executable, "manage.py", "watch"], environment, system.webhook.directory / "watcher.log")
    process.start()
    try:
        yield objects
    finally:
        process.stop()


def forget_clusters(system: System) -> None:
    """Delete the rows that the cluster of another test has left."""
    run_manage("shell", "-c", FORGET, environment=system.webhook.environment)


def new_namespace(objects: Objects) -> str:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    objects.namespace(name)
    return name


def faults_of(page: Page) -> list[str]:
    """Return the serious faults of the page as it is, in both themes, at a desk and on a phone."""
    faults = []
    for width, height in (DESK, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        use_theme(page, "light")
        faults += grave_faults(page)
        use_theme(page, "dark")
        faults += [f"dark: {fault}" for fault in grave_faults(page, rules=COLOURS)]
        if wider := overflow(page):
            faults.append(f"{wider} px wider than a window of {width} px")
    use_theme(page, "light")
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    return faults
