"""JMESPath filters with bounded evaluation time. Pure functions.

Start with ``expression.py``; ``chain.py`` applies filters in order.
"""

from mirrors.filters.expression import (
    FILTER_BUDGET,
    MAX_NESTING,
    REVIEW_BUDGET,
    CompiledFilter,
    FilterEvaluationError,
    InvalidFilterError,
    ReviewBudget,
    ReviewBudgetError,
    compile_filter,
)

__all__ = [
    "CompiledFilter",
    "FILTER_BUDGET",
    "FilterEvaluationError",
    "InvalidFilterError",
    "MAX_NESTING",
    "REVIEW_BUDGET",
    "ReviewBudget",
    "ReviewBudgetError",
    "compile_filter",
]
