"""Finds, reads and checks the configuration file. Explicit flags override it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mirrors.filters.warnings import filter_warning
from mirrors.kubernetes.objects.yaml_errors import YamlError
from mirrors.kubernetes.objects.yaml_loader import decode
from swapper_project.config.files import file_problem
from swapper_project.config.keys import as_tree, match_keys
from swapper_project.config.models import Config
from swapper_project.config.text.config_problems import ConfigError, Findings, KeyPath, format_path, lowercase_path
from swapper_project.config.text.document import Pair, read
from swapper_project.config.text.shapes import describe_wrong_file

FILE_NAMES = (".k8s-image-swapper.yaml", ".k8s-image-swapper.yml")
MAX_FILE_BYTES = 1 << 20
"""The maximum size of a ConfigMap."""

_NO_OVERRIDES: Mapping[str, object] = {}


def find(explicit: str | None) -> Path | None:
    """Return the file of ``--config``, else the one in the home directory, else the one in the working directory, else
    None."""
    if explicit:
        return Path(explicit)
    folders = [Path(home)] if (home := os.environ.get("HOME")) else []
    candidates = (folder / name for folder in [*folders, Path.cwd()] for name in FILE_NAMES)
    return next((path for path in candidates if path.is_file()), None)


def load(path: Path, overrides: Mapping[str, object] = _NO_OVERRIDES, *, check_files: bool = False) -> Config:
    """Read and check a configuration file. Raises :class:`ConfigError` with all problems."""
    return parse(read_text(path), name=str(path), overrides=overrides, check_files=check_files)


def read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: the configuration file can't be read: {error.strerror}"]) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: the configuration file is larger than {MAX_FILE_BYTES >> 20} MiB"])
    try:
        return decode(content)
    except YamlError as error:
        raise ConfigError([f"{path}:{error.line}: {error}"]) from None


def parse(
    text: str,
    *,
    name: str = "configuration",
    overrides: Mapping[str, object] = _NO_OVERRIDES,
    check_files: bool = False,
) -> Config:
    """Check a configuration given as text; with ``check_files``, also the certificate files that it names.

    ``overrides`` has the values of explicit flags by key (``dryRun``, or a path such as ``target.type``); None counts
    as not given. Raises :class:`ConfigError`.
    """
    findings = Findings(name)
    flags = {key: value for key, value in overrides.items() if value is not None}
    tree = read(text, name)
    if wrong_file := describe_wrong_file(tree):
        line, message = wrong_file
        raise ConfigError([f"{name}:{line}: {message}"])
    overridden = _override(tree, flags, findings)
    data = match_keys(tree, Config, findings)
    for path, file in findings.files.items() if check_files else ():
        if problem := file_problem(str(path[-1]), file):
            findings.add(path, problem)
    warnings = findings.warnings
    try:
        config = Config.model_validate(data, context={"warnings": warnings})
    except ValidationError as error:
        findings.add_all(error.errors(include_url=False))
        findings.raise_if_any()
        raise
    findings.raise_if_any()
    for index, filter_ in enumerate(config.source.filters):
        if warning := filter_warning(filter_.jmespath):
            findings.warn(("source", "filters", index, "jmespath"), warning)
    config._warnings = tuple(dict.fromkeys(warnings))
    config._overridden = tuple(format_path(path) for path in findings.lines if lowercase_path(path) in overridden)
    return config


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file, for editors and for the values of the chart."""
    return Config.model_json_schema(by_alias=True)


def _override(tree: dict[str, Pair], flags: Mapping[str, object], findings: Findings) -> set[KeyPath]:
    """Put the flags' values into ``tree``. Return the keys (in lower case) that had another value in the file."""
    overridden: set[KeyPath] = set()
    for key, value in flags.items():
        section, path = tree, tuple(key.lower().split("."))
        for part, name in zip(path[:-1], key.split("."), strict=False):
            inner = section.get(_spelling(section, part))
            if inner is None or not isinstance(inner.value, dict):
                inner = section[_spelling(section, part, name)] = Pair(name, 0, {})
            assert isinstance(inner.value, dict)
            section = inner.value
        name = key.split(".")[-1]
        spelling = _spelling(section, path[-1], name)
        previous, new_value = section.get(spelling), as_tree(value)
        section[spelling] = Pair(name, previous.line if previous else 0, new_value)
        findings.set_by_flag.add(path)
        if previous and previous.value is not None and previous.value != new_value:
            overridden.add(path)
    return overridden


def _spelling(section: Mapping[str, Pair], key: str, default: str = "") -> str:
    """Return the key in the spelling of the file; ``default`` if the file does not contain it."""
    return next((spelling for spelling in section if spelling.lower() == key), default)
