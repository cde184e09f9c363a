"""Parsing of untrusted JSON bodies: invalid input is a parse error, never a server error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class SafeJSONParser(JSONParser):
    """Also rejects deep nesting, and lone surrogates, which cannot be encoded in a response."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().parse(stream, media_type, parser_context)
            if _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
                raise ParseError("JSON parse error - a \\u escape is a lone surrogate.")
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply.") from None
        return found
