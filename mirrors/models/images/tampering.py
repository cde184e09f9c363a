"""When an image at the target counts as tampered with: it was changed after it was written, and not by a copy."""

from __future__ import annotations

from mirrors.models.images.mappings import Obstacle


def is_tampered(*, written: str, found: str, is_copied: bool) -> bool:
    """Whether the target has another digest than was written; an empty digest is not known. ``is_copied``: a copy that
    runs, or has just ended, explains the difference."""
    return bool(written and found) and written != found and not is_copied


def without_tampering(obstacle: str) -> str:
    """The obstacle of a mapping whose target has what was written."""
    return Obstacle.NONE if obstacle == Obstacle.TAMPERED else obstacle
