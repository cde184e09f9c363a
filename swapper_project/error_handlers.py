"""Error responses of the web process: HTML pages, and problem documents below ``/api/``."""

from __future__ import annotations

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults
from rest_framework.permissions import SAFE_METHODS

from mirrors.accounts.roles import needed_role, role_of
from mirrors.api import problem_details


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    is_too_large = isinstance(exception, RequestDataTooBig)
    if request.path.startswith("/api/"):
        return problem_details.bad_request(request, is_too_large=is_too_large)
    context = {"limit": settings.DATA_UPLOAD_MAX_MEMORY_SIZE if is_too_large else 0}
    return HttpResponse(render_to_string("400.html", context), status=413 if is_too_large else 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return a page that names the role that the requested page needs, and the user's own role."""
    own, needed = role_of(request.user), needed_role(request.resolver_match.url_name if request.resolver_match else "")
    is_allowed = needed is not None and own >= needed
    context = {
        "role": own.group,
        "needed": needed.group if needed is not None and not is_allowed else "",
        "is_read_only": needed is None,
    }
    return HttpResponse(render_to_string("403.html", context), status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problem_details.not_found(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to an internal error without the database, which may be its cause. Django calls this while it handles the
    error, so the exception is available."""
    is_api = request.path.startswith("/api/")
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        if is_api:
            return problem_details.database_unavailable(request)
        page = render_to_string("503.html", {"is_change": request.method not in SAFE_METHODS})
        return HttpResponse(page, status=503, headers={"Retry-After": "5"})
    return problem_details.server_error(request) if is_api else defaults.server_error(request)
