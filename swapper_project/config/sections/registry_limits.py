"""The sections ``rateLimits`` and ``pullReserve``: limits of requests to a registry, for all workers together."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from swapper_project.config.sections.section import Section
from swapper_project.config.sections.values import HostPattern

Rate = Annotated[int, Field(ge=1, le=1_000_000)]
Percent = Annotated[int, Field(ge=0, le=100)]


class HostRateLimit(Section):
    """Limits of one host, or of all hosts below a domain. What is not given has the registry's default."""

    host: HostPattern = Field(description="host[:port] of the registry, or *. and a domain.")
    requests: Rate | None = Field(default=None, description="Requests per second, of any kind, for all workers.")
    writes: Rate | None = Field(default=None, description="Requests per second that change something.")
    manifest_puts: Rate | None = Field(default=None, description="Manifests written per second.")
    uploads: Rate | None = Field(default=None, description="Uploads of layers started, and completed, per second.")
    gets: Rate | None = Field(default=None, description="Reads of manifests and layers per second.")
    heads: Rate | None = Field(default=None, description="Existence checks per second.")
    transfers: Rate | None = Field(default=None, description="Layers in transfer at the same time, for all workers.")

    @property
    def limits(self) -> dict[str, float]:
        """The limits by operation of the engine."""
        limits = {
            "request": self.requests,
            "write": self.writes,
            "put-manifest": self.manifest_puts,
            "start-upload": self.uploads,
            "finish-upload": self.uploads,
            "get": self.gets,
            "head": self.heads,
            "transfer": self.transfers,
        }
        return {operation: float(limit) for operation, limit in limits.items() if limit is not None}


class PullReserve(Section):
    """Percent of a registry's pull limit (Docker Hub) that is left to copies that pods wait for."""

    anonymous: Percent = Field(default=30, description="Without credentials.")
    authenticated: Percent = Field(default=10, description="With credentials.")
