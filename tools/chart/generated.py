"""The generated files of the chart: their names and expected contents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import yaml

from swapper_project import config
from tools.chart import config_keys, readme, values_schema
from tools.chart.comments import read

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts/k8s-image-swapper"


def contents() -> dict[str, str]:
    """Return the expected content of each generated file, by its name in the chart."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    documented = read(text)
    schema = config.schema()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return {
        "values.schema.json": json.dumps(values_schema.build(values, documented, schema), indent=2) + "\n",
        "files/config-keys.yaml": config_keys.build(values, schema),
        "README.md": readme.build((CHART / "README.md.in").read_text(), chart, documented),
    }


def outdated() -> list[str]:
    """Return the names of generated files that do not have the expected content."""
    return [name for name, content in contents().items() if _read(CHART / name) != content]


def write() -> None:
    for name, content in contents().items():
        (CHART / name).write_text(content)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
