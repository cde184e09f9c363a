"""Filters whose result is the value of a field, or text, in place of true or false: they are skipped on every pod."""

from __future__ import annotations

from typing import Any, Final

from mirrors.filters.expression import tree_of

VALUES: Final = frozenset(
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
"""Parts of an expression whose value is that of a field, a list or an object."""

OF_OTHER_KINDS: Final = frozenset(
    ["abs", "avg", "ceil", "floor", "join", "keys", "length", "map", "merge", "reverse", "sort", "sort_by", "sum"]
    + ["to_array", "to_number", "to_string", "type", "values"]
)
"""Functions whose result is a number, text or a list."""


def result_warning(expression: str) -> str:
    """Say that the result is not true or false; empty if it is, or if only a pod shows it."""
    tree = tree_of(expression)
    if tree is None or not _is_other(tree):
        return ""
    words = "the result can be a value in place of true or false: compare each field"
    return f"{words}, such as obj.spec.hostNetwork == `true`"


def _is_other(node: Any) -> bool:
    kind, children = node["type"], node["children"]
    if kind in ("and_expression", "or_expression"):
        # Their result is that of one of the sides.
        return any(map(_is_other, children))
    if kind == "pipe":
        return _is_other(children[-1])
    if kind == "literal":
        return not isinstance(node["value"], bool)
    return kind in VALUES or (kind == "function_expression" and node["value"] in OF_OTHER_KINDS)
