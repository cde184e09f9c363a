"""Rows that depend on the order in which a watcher reads the objects of the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrors.kubernetes.objects.pod_states import NodeState
from mirrors.models import ClusterNode
from mirrors.watcher.row_writer import RowWriter
from tests.watcher.support import Cluster, config_in, container, mirrored, pod


@pytest.mark.django_db
def test_a_pull_is_recorded_for_a_node_that_is_listed_after_its_pods(tmp_path: Path) -> None:
    cluster, config = Cluster(nodes=0), config_in(tmp_path)
    cluster.put(pod(container(mirrored("nginx:1.25").target), node="node-1"))
    writer = RowWriter("default", lambda: config, lambda: False)
    writer.run(cluster.inventory)
    assert not ClusterNode.objects.exists()

    cluster.inventory.put_node(NodeState("node-1", "linux/amd64", ready=True))
    writer.run(cluster.inventory)
    assert ClusterNode.objects.get().pulled_at is not None
