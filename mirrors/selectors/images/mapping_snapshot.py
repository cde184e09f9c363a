"""A mapping at one moment, as plain values that decisions read. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mirrors.vocabulary.clusters import ClusterNamespace


class Grant(NamedTuple):
    """Whether a namespace's own pull secrets read the source, and when that was last tried (Unix seconds)."""

    granted: bool
    checked_at: float


@dataclass(frozen=True, slots=True)
class MappingSnapshot:
    """A mapping's row, as of one look. Times are Unix seconds of the database's clock; 0.0 is never."""

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
    """Those of an index; empty: not known, or no index."""
    obstacle: str
    paused: bool
    last_job_id: int | None
    last_job_status: str
    only_platforms: tuple[str, ...] = ()
    """Those to which the copy was limited; empty: the target has all of the source."""
    grants: Mapping[ClusterNamespace, Grant] = field(default_factory=dict)
    """By namespace of a cluster; empty for what anybody may read."""

    @property
    def job_is_live(self) -> bool:
        return self.last_job_status in {"pending", "running"}
