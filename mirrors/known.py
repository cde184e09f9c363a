"""What is known of an image at its target, as plain values that decisions read. No database here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownMapping:
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
    """Those of a filtered index; empty: all that the source has, or not known."""
    obstacle: str
    paused: bool
    last_job_id: int | None
    last_job_status: str

    @property
    def job_is_live(self) -> bool:
        return self.last_job_status in {"pending", "running"}
