"""A check for filters whose result is a field's value or text instead of a boolean: these are always skipped."""

from __future__ import annotations

from typing import Any, Final

from mirrors.filters.expression import tree_of

NON_BOOLEAN_NODES: Final = frozenset(
    {
        "field",
        "subexpression",
        "index_expression",
        "projection",
        "filter_projection",
        "value_projection",
        "flatten",
        "multi_select_list",
        "multi_select_dict",
    }
)
"""Node types of an expression whose value is the value of a field, a list or an object."""

NON_BOOLEAN_FUNCTIONS: Final = frozenset(
    ["abs", "avg", "ceil", "floor", "join", "keys", "length", "map", "merge", "reverse", "sort", "sort_by", "sum"]
    + ["to_array", "to_number", "to_string", "type", "values"]
)
"""Functions whose result is not a boolean, such as a number, text or a list."""


def result_warning(expression: str) -> str:
    """Return a warning that the result may not be a boolean; empty if it is, or if that depends on the pod."""
    tree = tree_of(expression)
    if tree is None or not _is_non_boolean(tree):
        return ""
    message = "the result can be a value in place of true or false: compare each field"
    return f"{message}, such as obj.spec.hostNetwork == `true`"


def _is_non_boolean(node: Any) -> bool:
    kind, children = node["type"], node["children"]
    if kind in ("and_expression", "or_expression"):
        # The result is the value of one of the operands.
        return any(map(_is_non_boolean, children))
    if kind == "pipe":
        return _is_non_boolean(children[-1])
    if kind == "literal":
        return not isinstance(node["value"], bool)
    return kind in NON_BOOLEAN_NODES or (kind == "function_expression" and node["value"] in NON_BOOLEAN_FUNCTIONS)
