"""Actions without a body: fields that are sent to one would have no effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors.api.requests.strict_fields import BODY


def takes_no_fields(act: Callable[..., Response]) -> Callable[..., Response]:
    """The action answers 400 where the body is neither empty nor ``{}``."""

    @wraps(act)
    def guarded(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        if request.data:
            raise ValidationError({BODY: ["This action takes no fields: send no body, or {}."]})
        return act(view, request, *args, **kwargs)

    return guarded
