"""The commands of README for a cluster, run one after another as a new user types them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.docs.markdown import blocks
from tests.e2e.cluster.cluster import CHART, Cluster
from tests.support.databases import ROOT

pytestmark = pytest.mark.timeout(300)


def test_the_readme_commands_install_the_chart_and_helm_test_succeeds(cluster: Cluster, tmp_path: Path) -> None:
    (block,) = [block for block in blocks(ROOT / "README.md") if "helm install" in block.text]
    install, test = (shlex.split(line) for line in block.text.replace("\\\n", " ").strip().splitlines())
    assert (install[0], test[0]) == ("helm", "helm")
    try:
        cluster.helm(*[str(CHART) if part.startswith("charts/") else part for part in install[1:]])
        assert "Succeeded" in cluster.helm(*test[1:])
    finally:
        cluster.helm("uninstall", "k8s-image-swapper", "--namespace", "k8s-image-swapper", "--wait", check=False)
