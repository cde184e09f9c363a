"""Rejects or repairs malformed requests of the web process before a view gets them. ``error_handlers`` responds."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware

Next = Callable[[HttpRequest], HttpResponseBase]


class NoNullMiddleware:
    """Rejects URLs with a null character: databases cannot store it, and no valid URL of this project contains it."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path:
            raise BadRequest("A null character in the address")
        return self._get_response(request)


class ChunkedBodyMiddleware:
    """Provides the body of a chunked request: Django treats a body without Content-Length as empty."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = _read_body(request, max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
            request.META["CONTENT_LENGTH"] = str(len(body))
            request._stream = BytesIO(body)
        return self._get_response(request)


def _read_body(request: HttpRequest, *, max_bytes: int) -> bytes:
    try:
        body: bytes = request.META["wsgi.input"].read(max_bytes + 1)
    except Exception as error:
        raise BadRequest("The body could not be read: its HTTP chunks are broken, or it is cut off.") from error
    if len(body) > max_bytes:
        raise RequestDataTooBig
    return body


class SlashMiddleware(CommonMiddleware):
    """Redirects only GET and HEAD to the URL with a trailing slash: a redirect would drop the body of other methods."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)
