"""Additions to the generated OpenAPI schema: how clients send tokens, and the format of errors."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable across versions."},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": (
                "Messages by field or parameter, for code `invalid`; `body` has messages about the whole body."
            ),
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "mirrors.accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "`Token swp_…`: created in the admin, under My API tokens."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


def add_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add the problem response to every operation."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = {"description": "A problem.", "content": content}
    return result


def drop_limits_of_answers(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Remove the limits of integers from responses, because they depend on the database and do not help the reader."""
    for name, schema in result["components"]["schemas"].items():
        for field in schema.get("properties", {}).values() if not name.endswith("Request") else ():
            for limit in ("maximum", "minimum"):
                field.pop(limit, None)
            if field.get("type") == "integer":
                field.pop("format", None)
    return result
