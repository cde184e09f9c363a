"""The cluster that a process runs in: its name, and the section ``watcher``."""

from __future__ import annotations

from pydantic import Field

from swapper_project.config.sections.section import Section
from swapper_project.config.sections.values import NamespaceName


class WatcherSection(Section):
    """What is read of the cluster."""

    enabled: bool = True
    namespaces: tuple[NamespaceName, ...] = Field(default=(), description="Namespaces to watch; empty: all.")
