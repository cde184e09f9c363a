"""Finds, checks and watches the configuration file ``.k8s-image-swapper.yaml``, without Django.

Other packages import the public names from this package. Start with ``models.py``.
"""

from __future__ import annotations

from swapper_project.config.config_source import ConfigSource
from swapper_project.config.loading import find, load, parse, schema
from swapper_project.config.models import Config, Quotas
from swapper_project.config.sections.aws import AwsRegistry, AwsTarget
from swapper_project.config.sections.gcp import GcpRegistry, GcpTarget
from swapper_project.config.sections.source import SourceRegistry
from swapper_project.config.sections.target import OciTarget
from swapper_project.config.text.config_problems import ConfigError

__all__ = [
    "AwsRegistry",
    "AwsTarget",
    "Config",
    "ConfigError",
    "ConfigSource",
    "GcpRegistry",
    "GcpTarget",
    "OciTarget",
    "Quotas",
    "SourceRegistry",
    "find",
    "load",
    "parse",
    "schema",
]
