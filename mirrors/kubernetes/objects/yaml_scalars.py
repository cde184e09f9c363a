"""The values of plain YAML scalars in Kubernetes (go-yaml v2), and a YAML writer whose text parses to the same data."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml

Plain = str | int | float | bool | None

MOST_DIGITS: Final = 400
"""The most characters of a number. Longer ones are out of range anyway, and Python's conversion is quadratic."""

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))"
)
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BREAKS: Final = re.compile("[\\r\x85\u2028\u2029]")
"""The line breaks of YAML other than the line feed. They are preserved only in double quotes."""

_BASES: Final = {"x": 16, "b": 2, "o": 8, "d": 10}


def resolve(text: str) -> Plain:
    """Return the value of a scalar without quotes and tag. Infinity and NaN stay text, because JSON has neither."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > MOST_DIGITS:
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        kind = match.lastgroup or "d"
        number = int(match["sign"] + match[kind], _BASES[kind])
        # Decimal numbers beyond 64 bits become floating-point numbers.
        if kind != "d" or -(1 << 63) <= number < 1 << 64:
            return number
    if _DECIMAL.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    return text


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes text that would otherwise be parsed as another type."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_text = isinstance(resolve(text), str) and text not in ("=", "<<")
    style = "|" if "\n" in text else None if is_text else "'"
    if _BREAKS.search(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(data: Any) -> str:
    """Return plain data as readable YAML, with the keys in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
