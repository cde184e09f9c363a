"""Evaluate the documented alert rules on metrics pages. Only the subset of PromQL that these rules use is supported."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]
Page = Mapping[Series, float]
"""Values by name and labels."""

_TERM = re.compile(
    r"(?:(?P<function>increase|max)\()?(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})?(?:\[\d+[mh]\])?\)?"
    r" (?P<operator>==|<|>) (?P<bound>[0-9* ]+)"
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_HOLDS = {"==": float.__eq__, "<": float.__lt__, ">": float.__gt__}


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a rule."""

    function: str
    name: str
    labels: frozenset[tuple[str, str]]
    operator: str
    bound: float

    def fires(self, page: Page, before: Page) -> bool:
        """Return whether the comparison holds on ``page``. ``before`` is an earlier page: as in Prometheus, a series
        that was not on the earlier page has not increased."""
        found = {key: v for key, v in page.items() if key[0] == self.name and self.labels <= key[1]}
        values: Iterable[float] = found.values()
        if self.function == "increase":
            values = [value - before[key] for key, value in found.items() if key in before]
        return any(_HOLDS[self.operator](float(value), self.bound) for value in values)


def terms_of(expression: str) -> list[Term]:
    """Return the comparisons of a rule. The rule fires if one of them holds."""
    return [_term(text) for text in expression.split(" or ")]


def fires(expression: str, page: Page, before: Page) -> bool:
    """Return whether the rule fires."""
    return any(term.fires(page, before) for term in terms_of(expression))


def read_page(text: str) -> dict[Series, float]:
    """Parse a metrics page in Prometheus's text format."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text.strip())
    assert match is not None, f"not a comparison that is understood here: {text}"
    bound = math.prod(float(factor) for factor in match["bound"].split("*"))
    labels = frozenset(_LABEL.findall(match["labels"] or ""))
    return Term(match["function"] or "", match["name"], labels, match["operator"], bound)
