"""The rule by which an image at the target is tampered with: it was changed after it was written, not by a copy."""

from __future__ import annotations

from mirrors.models.images.mappings import Obstacle


def is_tampered(*, written: str, found: str, is_copied: bool) -> bool:
    """Return whether the digest ``found`` at the target differs from the one ``written``; an empty digest is unknown.
    ``is_copied``: a copy is running, or has just ended, which explains a difference."""
    return bool(written and found) and written != found and not is_copied


def without_tampering(obstacle: str) -> str:
    """Return the remaining obstacle of a mapping whose image at the target is the one that was written."""
    return Obstacle.NONE if obstacle == Obstacle.TAMPERED else obstacle
