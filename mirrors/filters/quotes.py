"""A check for text in double quotes in a filter: in JMESPath, double quotes enclose the name of a field."""

from __future__ import annotations

from typing import Any, Final

from jmespath import exceptions
from jmespath.lexer import Lexer

_COMPARATORS: Final = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_BEGIN: Final = frozenset({"", "lparen", "filter", "and", "or", "not", "comma", "pipe"})
"""Tokens other than comparators that can precede a whole operand."""

_END: Final = frozenset({"eof", "rparen", "rbracket", "and", "or", "comma", "pipe"})
_ROOT: Final = frozenset({"obj", "container"})


def quotes_warning(expression: str) -> str:
    """Return a warning about double-quoted names that were probably meant as text; empty if there are none.

    These are operands of comparisons and arguments of functions. Within ``[?…]``, the left side of a comparison and the
    first argument of a function are not reported, because they may be fields of the elements.
    """
    try:
        names = list(dict.fromkeys(_fields_meant_as_text(list(Lexer().tokenize(expression)))))
    except exceptions.JMESPathError:
        return ""
    if not names:
        return ""
    shown = ", ".join(f'"{name[:60]}"' for name in names[:3])
    verb = "are names of fields" if len(names) > 1 else "is the name of a field"
    return f"{shown} in double quotes {verb}, not text: write '{names[0][:60]}' in single quotes to compare with text"


def _fields_meant_as_text(tokens: list[Any]) -> list[str]:
    names = []
    groups: list[str] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1]["type"] if index else ""
        kind = token["type"]
        if kind in ("lparen", "filter", "lbracket", "lbrace"):
            is_call = kind == "lparen" and before == "unquoted_identifier"
            groups.append("call" if is_call else kind)
        elif kind in ("rparen", "rbracket", "rbrace") and groups:
            groups.pop()
        elif kind == "quoted_identifier" and _is_meant_as_text(tokens, index, groups):
            names.append(str(token["value"]))
    return names


def _is_meant_as_text(tokens: list[Any], index: int, groups: list[str]) -> bool:
    before = tokens[index - 1]["type"] if index else ""
    after = tokens[index + 1]["type"]
    group = groups[-1] if groups else ""
    is_whole = before in _BEGIN | _COMPARATORS and after in _END | _COMPARATORS
    if not is_whole:
        return False
    is_argument = group == "call" and before in ("lparen", "comma") and after in ("comma", "rparen")
    if before in _COMPARATORS or (is_argument and before == "comma"):
        return True
    if "filter" in groups or tokens[index]["value"] in _ROOT:
        return False
    return after in _COMPARATORS or is_argument
