"""Lists in parts that one statement takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """In order, at most ``size`` each. (``itertools.batched`` needs Python 3.12.)"""
    return (items[start : start + size] for start in range(0, len(items), size))
