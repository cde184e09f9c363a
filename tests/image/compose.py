"""compose.yaml as Docker reads it, with its variables replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from tests.support.databases import ROOT

REQUIRED: Final = {"SWAPPER_SECRET_KEY": "0123456789" * 6, "POSTGRES_PASSWORD": "0123456789"}
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def document(variables: Mapping[str, str] = REQUIRED) -> Any:
    """Return the parsed file. Raises KeyError if a required variable is not set."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        return variables.get(name, rest) if kind == "-" else variables[name]

    return yaml.safe_load(_VARIABLE.sub(value, (ROOT / "compose.yaml").read_text()))
