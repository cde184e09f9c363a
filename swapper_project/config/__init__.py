"""The configuration file ``.k8s-image-swapper.yaml``: found, checked, watched. No Django in here."""

from __future__ import annotations

from swapper_project.config.aws import AwsRegistry, AwsTarget
from swapper_project.config.gcp import GcpRegistry, GcpTarget
from swapper_project.config.loading import find, load, parse, schema
from swapper_project.config.models import Config, Quotas
from swapper_project.config.problems import ConfigError
from swapper_project.config.source import FilterConfig, Source, SourceRegistry
from swapper_project.config.target import OciTarget, Target
from swapper_project.config.watch import ConfigSource

__all__ = [
    "AwsRegistry",
    "AwsTarget",
    "Config",
    "ConfigError",
    "ConfigSource",
    "FilterConfig",
    "GcpRegistry",
    "GcpTarget",
    "OciTarget",
    "Quotas",
    "Source",
    "SourceRegistry",
    "Target",
    "find",
    "load",
    "parse",
    "schema",
]
