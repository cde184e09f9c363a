"""Filters as a review asks them: one after the other, the first that matches wins, one that fails is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mirrors.filters.expression import CompiledFilter, FilterEvaluationError, ReviewBudget


def first_match(
    filters: Iterable[CompiledFilter],
    data: Mapping[str, object],
    budget: ReviewBudget,
    on_error: Callable[[str, Exception], None],
) -> str | None:
    """Name of the first filter that matches ``{obj, container}``. Raises ReviewBudgetError."""
    for compiled in filters:
        try:
            if compiled.matches(data, budget):
                return compiled.name
        except FilterEvaluationError as error:
            on_error(compiled.name, error)
    return None
