"""The documented commands that install the chart can be rendered, and the links of the chart's README are valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import PAGES, anchors, blocks
from tests.support.databases import ROOT
from tests.support.helm import CHART, render

README = CHART / "README.md"


def installs() -> list[tuple[str, list[str]]]:
    """Return each `helm install` of this checkout's chart in a code block, with its position."""
    found = []
    for page in [*PAGES, README]:
        for block in blocks(page):
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.strip().startswith("helm install") and " charts/" in line:
                    found.append((block.place, shlex.split(line)))
    return found


@pytest.mark.parametrize(("place", "command"), installs(), ids=lambda part: part if isinstance(part, str) else "")
def test_a_documented_install_command_renders(place: str, command: list[str]) -> None:
    """Commands for the published chart are in docs/install.md, and are tested in tests/docs/test_commands.py."""
    assert (command[3], command[4:6]) == ("charts/k8s-image-swapper", ["--namespace", "k8s-image-swapper"])

    assert render(flags=tuple(part for part in command[6:] if part != "--create-namespace")).objects


def test_only_readmes_install_the_local_chart_with_two_or_more_commands() -> None:
    assert {place.partition(":")[0] for place, _ in installs()} == {"README.md"}
    assert len(installs()) >= 2


def test_yaml_blocks_of_the_readme_are_mappings() -> None:
    found = [yaml.safe_load(block.text) for block in blocks(README) if block.language == "yaml"]

    assert found
    assert all(isinstance(document, dict) for document in found)


@pytest.mark.parametrize("page", [README, ROOT / "docs/runbooks.md"], ids=lambda page: page.name)
def test_relative_links_and_anchors_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        other = page.parent / name if name else page
        assert "://" in link or (other.exists() and (not anchor or anchor in anchors(other))), link


def test_values_mentioned_in_the_readme_exist() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    text = README.read_text().partition("## Values")[0]
    for path in re.findall(r"`((?:[a-z][A-Za-z]*\.)+[A-Za-z]+)`", text):
        node = values
        for part in path.split("."):
            if path.startswith("config.") or path.endswith((".md", ".in", ".yaml")):
                break
            assert part in node, path
            node = node[part]
