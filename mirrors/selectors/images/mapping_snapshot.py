"""Snapshots of mappings as plain values, which decisions read. This module does not use the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mirrors.vocabulary.clusters import ClusterNamespace


class Grant(NamedTuple):
    """Whether a namespace's own pull secrets can read the source, and when that was last checked (Unix seconds)."""

    granted: bool
    checked_at: float


@dataclass(frozen=True, slots=True)
class MappingSnapshot:
    """A snapshot of a mapping's row. Times are Unix seconds of the database's clock; 0.0 means never."""

    mapping_id: int
    source: str
    target: str
    existence: str
    access: str
    source_digest: str
    target_digest: str
    verified_at: float
    source_checked_at: float
    platforms: tuple[str, ...]
    """The platforms of an image index; empty if they are unknown or the image is not an index."""
    obstacle: str
    paused: bool
    last_job_id: int | None
    last_job_status: str
    only_platforms: tuple[str, ...] = ()
    """The platforms to which the copy was limited; empty if the target has all platforms of the source."""
    grants: Mapping[ClusterNamespace, Grant] = field(default_factory=dict)
    """The grants by cluster and namespace; empty for public images."""

    @property
    def job_is_live(self) -> bool:
        return self.last_job_status in {"pending", "running"}
