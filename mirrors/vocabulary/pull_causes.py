"""The causes of failed pulls: one enumeration for rows, pages, API and metrics."""

from __future__ import annotations

from enum import StrEnum


class PullCause(StrEnum):
    """The class of a kubelet's message."""

    NOT_FOUND = "not-found"
    DENIED = "denied"
    RATE_LIMITED = "rate-limited"
    UNREACHABLE = "unreachable"
    PLATFORM_MISSING = "platform-missing"
    INVALID_NAME = "invalid-name"
    OTHER = "other"


class PullSide(StrEnum):
    """The registry that a node cannot pull from."""

    TARGET = "target"
    SOURCE = "source"
