"""What is answered when things go wrong: pages of ours, and problem documents below ``/api/``.

400 and 403 are Django's own handlers with our templates.
"""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from mirrors.api import problems


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problems.not_found(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Never asks the database, which may be what is broken. Django calls it while it handles the error."""
    is_api = request.path.startswith("/api/")
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        if is_api:
            return problems.database_away(request)
        return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
    return problems.server_error(request) if is_api else defaults.server_error(request)
