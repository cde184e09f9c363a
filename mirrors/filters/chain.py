"""Evaluation of filters in a review: in order, the first match wins, and a filter that fails is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mirrors.filters.expression import CompiledFilter, FilterEvaluationError, ReviewBudget


def first_match(
    filters: Iterable[CompiledFilter],
    data: Mapping[str, object],
    budget: ReviewBudget,
    on_error: Callable[[str, Exception], None],
) -> str | None:
    """Return the name of the first filter that matches ``{obj, container}``, or None. Raises ReviewBudgetError."""
    for compiled in filters:
        try:
            if compiled.matches(data, budget):
                return compiled.name
        except FilterEvaluationError as error:
            on_error(compiled.name, error)
    return None
