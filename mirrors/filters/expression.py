"""Filters: JMESPath expressions over ``{obj, container}``, evaluated within a budget of steps.

Any user who can create a pod can cause a review, and JMESPath has expressions whose cost doubles with every term.
Therefore each visited node costs a step, and functions and comparisons also cost steps by the size of their values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jmespath import exceptions
from jmespath.functions import Functions
from jmespath.parser import Parser

from mirrors.filters.bounded_interpreter import BoundedInterpreter, OutOfStepsError

FILTER_BUDGET = 20_000
"""The most steps of one filter on one image, about 20 ms; real filters take some hundred."""

REVIEW_BUDGET = 100_000
"""The most steps of all filters on all images of a review, about 100 ms for which the API server waits."""

MAX_EXPRESSION = 8192
"""The most characters of an expression: enough for some hundred names, and compiled in milliseconds."""

MAX_NESTING = 150
"""The most levels of an expression: its interpreter is recursive, and Python's recursion limit is 1,000 calls."""


class InvalidFilterError(ValueError):
    """The expression cannot be evaluated for any pod; the message is one line and contains the position.

    ``position`` is the offset of the error in the expression; None if it is unknown.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class FilterEvaluationError(Exception):
    """The filter has no result for this pod, and must be skipped."""


class ReviewBudgetError(Exception):
    """The filters have used up the steps of the whole review."""


@dataclass(slots=True)
class ReviewBudget:
    """The remaining steps, shared by all filters of one review."""

    remaining: int = REVIEW_BUDGET


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A parsed filter. It is immutable, so threads can share it."""

    name: str
    expression: str
    _tree: Any = field(repr=False, compare=False)

    def matches(self, data: Mapping[str, object], budget: ReviewBudget) -> bool:
        """Return whether the result of the filter is true.

        Raises :class:`FilterEvaluationError` if the filter fails, its result is not a boolean, or it takes more than
        ``FILTER_BUDGET`` steps, and :class:`ReviewBudgetError` if ``budget`` is exhausted.
        """
        limit = min(FILTER_BUDGET, budget.remaining)
        interpreter = BoundedInterpreter(limit)
        try:
            result = interpreter.visit(self._tree, data)
        except OutOfStepsError:
            if limit < FILTER_BUDGET:
                raise ReviewBudgetError(
                    f"{self.name}: the filters of this review took more than {REVIEW_BUDGET} steps"
                ) from None
            raise FilterEvaluationError(f"{self.name} took more than {FILTER_BUDGET} steps") from None
        except RecursionError:
            raise FilterEvaluationError(f"{self.name}: the pod is nested too deeply to evaluate it") from None
        except Exception as error:
            raise FilterEvaluationError(f"{self.name}: {_explain(error)}") from None
        finally:
            budget.remaining -= limit - max(0, interpreter.remaining_steps)
        if result is True or result is False:
            return result
        raise FilterEvaluationError(f"the result of {self.name} is {_type_name(result)}, not true or false")


def compile_filter(name: str, expression: str) -> CompiledFilter:
    """Parse and check a filter. Raises :class:`InvalidFilterError` with a one-line message."""
    if len(expression) > MAX_EXPRESSION:
        raise InvalidFilterError(f"the expression has {len(expression)} characters; {MAX_EXPRESSION} are allowed")
    if not expression.strip():
        raise InvalidFilterError("the expression is empty")
    try:
        tree = _Parser().parse(expression).parsed
    except RecursionError:
        raise InvalidFilterError(_TOO_DEEP) from None
    except exceptions.ParseError as error:
        if isinstance(error, exceptions.IncompleteExpressionError) or getattr(error, "token_type", "") == "EOF":
            raise InvalidFilterError(
                f"the expression is incomplete: a value or a closing bracket is missing after "
                f"{_excerpt(expression, len(expression))}",
                len(expression),
            ) from None
        raise InvalidFilterError(_parse_error_message(expression, error), error.lex_position) from None
    except (exceptions.JMESPathError, ValueError, LookupError) as error:
        raise InvalidFilterError(f"not valid JMESPath: {type(error).__name__}") from None
    _check(tree, expression)
    return CompiledFilter(name, expression, tree)


def tree_of(expression: str) -> Any:
    """Return the syntax tree of a filter, with at most ``MAX_NESTING`` levels; None if the filter is invalid."""
    try:
        return compile_filter("", expression)._tree
    except InvalidFilterError:
        return None


_SYNTAX_HINTS = (
    (r"=", "write == to compare"),
    (r"and\b|&", "write && for and"),
    (r"or\b", "write || for or"),
    (r"in\b", "write contains(list, value) for in"),
    (r"-", "put single quotes around text, and double quotes around a name"),
    (r"\d", "write numbers in backticks, such as `3`"),
    (r"/", 'put double quotes around a name with special characters, such as labels."app.kubernetes.io/name"'),
)
"""Patterns of syntax that JMESPath does not have, and hints for the correct syntax."""

_TOO_DEEP = (
    f"it is nested more than {MAX_NESTING} levels deep (a chain of && or || counts); split it into several filters"
)


class _Parser(Parser):
    """A parser with its own cache of trees: the default cache is shared with all other users of jmespath."""

    def __init__(self) -> None:
        super().__init__()
        self._CACHE: dict[str, object] = {}


def _check(tree: Any, expression: str) -> None:
    """Reject an expression that would fail on every pod: unknown functions, wrong argument counts, deep nesting."""
    pending = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_NESTING:
            raise InvalidFilterError(_TOO_DEEP)
        if node["type"] == "function_expression":
            _check_call(node["value"], len(node["children"]), expression)
        pending.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))


def _check_call(name: str, argument_count: int, expression: str) -> None:
    table: Mapping[str, Any] = Functions.FUNCTION_TABLE
    if name not in table:
        similar = difflib.get_close_matches(name, table, 1)
        hint = f"; did you mean {similar[0]}()?" if similar else ""
        raise InvalidFilterError(f"there is no function {name}(){hint}", _position_of_call(name, expression))
    signature = table[name]["signature"]
    variadic = bool(signature and signature[-1].get("variadic"))
    if argument_count < len(signature) or (argument_count > len(signature) and not variadic):
        at_least = "at least " if variadic else ""
        message = f"{name}() takes {at_least}{len(signature)} arguments, not {argument_count}"
        raise InvalidFilterError(message, _position_of_call(name, expression))


def _position_of_call(name: str, expression: str) -> int | None:
    """Find the first call of a function in the text, because the tree does not contain positions."""
    match = re.search(rf"\b{re.escape(name)}\s*\(", expression)
    return match.start() if match else None


def _parse_error_message(expression: str, error: exceptions.ParseError) -> str:
    position = error.lex_position
    reason = error.message if isinstance(error, exceptions.LexerError) else error.msg
    if reason.startswith("Expecting: "):
        # The library's message lists internal names of tokens.
        reason = f"Unexpected token: {error.token_value}"
    reason = " ".join(reason.split()).removesuffix(".")
    return f"{reason} at character {position + 1}, after {_excerpt(expression, position)}{_hint(expression, position)}"


def _hint(expression: str, position: int) -> str:
    """Return a hint for the correct JMESPath syntax if the error is syntax of another language; otherwise empty."""
    before, after = expression[:position].rstrip(), expression[position:]
    if before == "not" or before.endswith((" not", "(not")):
        return "; write ! for not"
    return next((f"; {message}" for pattern, message in _SYNTAX_HINTS if re.match(pattern, after)), "")


def _excerpt(expression: str, end: int) -> str:
    return repr(f"{'…' if end > 30 else ''}{expression[max(0, end - 30) : end]}") if end else "its start"


def _explain(error: Exception) -> str:
    """Describe the error without values of the pod, which may be secret."""
    if isinstance(error, exceptions.JMESPathTypeError):
        expected = " or ".join(error.expected_types)
        return f"{error.function_name}() got {error.actual_type} where it expects {expected}"
    return f"the evaluation failed ({type(error).__name__})"


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    kinds = {str: "a string", list: "a list", dict: "an object", int: "a number", float: "a number"}
    return kinds.get(type(value), "a value of another type")
