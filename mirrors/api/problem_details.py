"""Error responses as RFC 9457 problem details, with stable codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import is_valid_path
from rest_framework import exceptions, status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from mirrors.api.rate_limits import charge
from mirrors.api.requests.allowed_values import no_row
from mirrors.api.requests.strict_fields import BODY
from mirrors.services import ActionRefusedError

MEDIA_TYPE: Final = "application/problem+json"


HOW_TO_AUTHENTICATE: Final = "Send `Authorization: Token swp_…`; create a token in the admin, under My API tokens."


class ConflictError(exceptions.APIException):
    """The request is valid, but the current state does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Not possible now."
    default_code = "conflict"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Convert an exception to a response; this is DRF's exception handler. If it returns None, Django responds with
    ``server_error``."""
    if isinstance(error, ActionRefusedError):
        error = ConflictError(str(error), code="job-state")
    # Requests that fail authentication are counted in this function, because DRF checks limits after authentication.
    usage = charge(context["request"]) if isinstance(error, exceptions.APIException) else None
    if usage is not None and usage.is_exceeded:
        error = exceptions.Throttled(usage.seconds)
    response = exception_handler(error, context)
    if response is None:
        return None
    set_rollback()
    response.data = _details(error, response.status_code, context["view"])
    response.content_type = MEDIA_TYPE
    return response


def _details(error: Exception, code: int, view: Any) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        errors = _fields(error.detail)
        text = errors[BODY][0] if BODY in errors else "Some fields or parameters are invalid; see `errors`."
        return _problem(code, "Invalid input", "invalid", text) | {"errors": errors}
    if isinstance(error, Http404):
        return _problem(code, "Not found", "not-found", _missing(view))
    if isinstance(error, PermissionDenied):
        return _problem(code, "Forbidden", "permission-denied", "Your role does not allow this.")
    if isinstance(error, exceptions.MethodNotAllowed):
        text = f"{view.request.method} is not supported here; allowed: {', '.join(view.allowed_methods)}."
        return _problem(code, "Method not allowed", "method-not-allowed", text)
    if isinstance(error, exceptions.UnsupportedMediaType):
        text = "The body must be JSON: send it with the header Content-Type: application/json."
        return _problem(code, "Unsupported media type", "unsupported-media-type", text)
    assert isinstance(error, exceptions.APIException)
    codes = error.get_codes()
    name = codes if isinstance(codes, str) else error.default_code
    title = str(getattr(error, "default_detail", "Error")).rstrip(".")
    if "{" in title:
        title = HTTPStatus(code).phrase
    detail = f"{error.detail} {HOW_TO_AUTHENTICATE}" if code == status.HTTP_401_UNAUTHORIZED else str(error.detail)
    return _problem(code, title, name.replace("_", "-"), detail)


def _missing(view: Any) -> str:
    """Describe what was not found: the row with the ID in the URL, or the URL."""
    if "pk" in view.kwargs and getattr(view, "queryset", None) is not None:
        return no_row(view.queryset.model, view.kwargs["pk"])
    return "There is no resource at this URL."


def _fields(detail: Any) -> dict[str, list[str]]:
    if isinstance(detail, list):
        return {"": [str(item) for item in detail]}
    return {name: [str(m) for m in (v if isinstance(v, list) else [v])] for name, v in detail.items()}


def _problem(code: int, title: str, name: str, detail: str) -> dict[str, Any]:
    return {"type": f"urn:k8s-image-swapper:{name}", "title": title, "status": code, "code": name, "detail": detail}


def _problem_response(code: int, title: str, name: str, detail: str, **headers: str) -> JsonResponse:
    """Build a problem response outside of DRF's views."""
    return JsonResponse(_problem(code, title, name, detail), status=code, content_type=MEDIA_TYPE, headers=headers)


def not_found(request: HttpRequest) -> JsonResponse:
    """Respond to URLs below ``/api/`` that have no view."""
    detail = "There is no resource at this URL; /api/schema/ lists all resources."
    if is_valid_path(f"{request.path_info}/"):
        detail = f"URLs of the API end with a slash: {request.path}/."
    return _problem_response(404, "Not found", "not-found", detail)


def bad_request(request: HttpRequest, *, is_too_large: bool) -> JsonResponse:
    """Respond to requests that Django rejects before it calls a view."""
    if is_too_large:
        limit = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) // 2**10
        return _problem_response(
            413, "Too large", "too-large", f"The body is larger than {limit} KiB: send a smaller body."
        )
    detail = "The server does not accept the URL, its host name or the data sent."
    return _problem_response(400, "Bad request", "bad-request", detail)


def database_unavailable(request: HttpRequest) -> JsonResponse:
    detail = "The database cannot be reached, or does not respond in time. "
    if request.method in SAFE_METHODS:
        detail += "Nothing was changed; try again in a few seconds."
    else:
        # The response to a commit may have been lost, and an action on many rows commits several times.
        detail += (
            "The change may have been applied fully, in part or not at all: read the current state before you try "
            "again."
        )
    return _problem_response(503, "Database unavailable", "database-unavailable", detail, **{"Retry-After": "5"})


def server_error(request: HttpRequest) -> JsonResponse:
    return _problem_response(
        500, "Server error", "error", "An error occurred in the API; the cause is in the log of the web process."
    )
