"""Batches of items, for statements that accept a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return batches of at most ``size`` items, in order. (``itertools.batched`` needs Python 3.12.)"""
    return (items[start : start + size] for start in range(0, len(items), size))
