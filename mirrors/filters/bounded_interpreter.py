"""JMESPath's interpreter with a budget: each visited node is a step, and operations on many values cost more."""

from __future__ import annotations

from typing import Any

from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

# These functions traverse the elements of their arguments recursively; the others visit each element at most once.
_DEEP_FUNCTIONS = frozenset({"contains", "join", "max", "min", "sort", "to_string"})
_CHARACTERS_A_STEP = 64
"""Characters of text whose processing counts as one step."""


class OutOfStepsError(Exception):
    """The budget is used up."""


class BoundedInterpreter(TreeInterpreter):
    """An interpreter for one evaluation, which counts ``remaining_steps`` down to zero.

    One is created for each evaluation, so the constructor sets nothing else.
    """

    _functions = Functions()
    _dict_cls = dict
    _handlers: dict[str, Any] = {}

    def __init__(self, remaining_steps: int) -> None:
        self.remaining_steps = remaining_steps

    def visit(self, node: Any, value: Any) -> Any:
        self.remaining_steps -= 1
        if self.remaining_steps < 0:
            raise OutOfStepsError
        return self._handlers[node["type"]](self, node, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        name = node["value"]
        arguments = [self.visit(child, value) for child in node["children"]]
        for argument in arguments:
            if isinstance(argument, str):
                self._charge(len(argument) // _CHARACTERS_A_STEP)
            elif isinstance(argument, list | dict):
                if name in _DEEP_FUNCTIONS:
                    self._charge_recursively(argument)
                else:
                    self._charge(len(argument))
        if name == "join" and isinstance(arguments[0], str) and isinstance(arguments[1], list):
            self._charge(len(arguments[0]) * len(arguments[1]) // _CHARACTERS_A_STEP)
        return self._functions.call_function(name, arguments)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        # Python compares the lengths first, so the elements are compared only if the lengths are equal.
        if isinstance(left, list | dict) and isinstance(right, list | dict) and len(left) == len(right):
            self._charge_recursively(left)
        if node["value"] not in ("eq", "ne") and not (_has_order(left) and _has_order(right)):
            return None
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._charge(sum(len(element) if isinstance(element, list) else 1 for element in base))
        merged: list[Any] = []
        for element in base:
            if isinstance(element, list):
                merged.extend(element)
            else:
                merged.append(element)
        return merged

    def _charge(self, steps: int) -> None:
        self.remaining_steps -= steps
        if self.remaining_steps < 0:
            raise OutOfStepsError

    def _charge_recursively(self, value: object) -> None:
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                self._charge(1 + len(item) // _CHARACTERS_A_STEP)
            elif isinstance(item, list | dict):
                self._charge(1 + len(item))
                pending.extend(item.values() if isinstance(item, dict) else item)
            else:
                self._charge(1)


_VISIT = "visit_"
BoundedInterpreter._handlers = {
    name.removeprefix(_VISIT): getattr(BoundedInterpreter, name)
    for name in dir(BoundedInterpreter)
    if name.startswith(_VISIT)
}


def _has_order(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)
