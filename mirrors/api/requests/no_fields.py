"""Actions that take no body, because fields sent to one would have no effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors.api.requests.strict_fields import BODY


def rejects_body(act: Callable[..., Response]) -> Callable[..., Response]:
    """Decorate an action so that it responds with 400 if the body is neither empty nor ``{}``."""

    @wraps(act)
    def guarded(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        if request.data:
            raise ValidationError({BODY: ["This action takes no fields: send no body, or {}."]})
        return act(view, request, *args, **kwargs)

    return guarded
