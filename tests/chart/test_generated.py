"""Generated files of the chart match the models and values.yaml, and versions are those of the product."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from swapper_project import config
from swapper_project.process.release import VERSION
from tests.support.databases import ROOT
from tests.support.helm import CHART
from tools.chart import comments, generated

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def leaves(values: dict[str, object], path: str = "") -> list[str]:
    """Return the paths of all keys that have no keys below them."""
    found = []
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        found += leaves(value, here) if isinstance(value, dict) and value else [here]
    return found


def test_generated_files_are_up_to_date() -> None:
    command = [sys.executable, "-m", "tools.chart", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["values.schema.json", "files/config-keys.yaml", "README.md"])
def test_the_file_is_in_the_list_of_generated_files(name: str) -> None:
    assert name in generated.contents()


def test_each_value_is_documented() -> None:
    documented = [value.path for value in comments.read((CHART / "values.yaml").read_text())]
    undocumented = [
        path for path in leaves(VALUES) if not any(path == name or path.startswith(f"{name}.") for name in documented)
    ]

    assert undocumented == []
    assert sorted(documented) == sorted(set(documented))


def test_the_readme_lists_each_value() -> None:
    readme = (CHART / "README.md").read_text()

    for value in comments.read((CHART / "values.yaml").read_text()):
        assert f"| `{value.path}` |" in readme


def test_the_app_version_and_image_annotations_match_the_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION
    assert f"k8s-image-swapper:{VERSION}" in chart["annotations"]["artifacthub.io/images"]
    assert f"{VALUES['postgresql']['image']['repository']}:17" in chart["annotations"]["artifacthub.io/images"]


def test_a_documentation_comment_without_a_key_raises_an_error() -> None:
    with pytest.raises(ValueError, match="values.yaml:2: the comment above belongs to no key"):
        comments.read("# -- A meaning.\n- item\n")


def test_the_default_configuration_loads() -> None:
    loaded = config.parse(yaml.safe_dump(VALUES["config"]))

    assert loaded.dry_run
    assert any("placeholder" in warning for warning in loaded.warnings)
