"""Parsing of untrusted JSON bodies: invalid input is a parse error, never a server error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_DRF_PREFIX: Final = "JSON parse error - "
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class SafeJSONParser(JSONParser):
    """A JSON parser that also rejects deep nesting, and lone surrogates, because a response cannot encode them."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            body: dict[str, Any] = super().parse(stream, media_type, parser_context)
            has_surrogate = _SURROGATE.search(json.dumps(body, ensure_ascii=False))
        except RecursionError:
            raise _not_json("it is nested too deeply") from None
        except ParseError as error:
            raise _not_json(str(error.detail).removeprefix(_DRF_PREFIX).rstrip(".")) from error
        if has_surrogate:
            raise _not_json("a \\u escape is a lone surrogate")
        return body


def _not_json(problem: str) -> ParseError:
    return ParseError(f"The body is not valid JSON: {problem}. Nothing was changed.")
