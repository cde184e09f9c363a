"""The response to a request that is not valid HTTP: a problem document (RFC 9457), as for errors in Django."""

from __future__ import annotations

import json

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException


def response(error: ParseException) -> bytes:
    """Return the complete response. The connection is closed after it."""
    if isinstance(error, LimitRequestLine | LimitRequestHeaders):
        code, title, name = 431, "Request Header Fields Too Large", "too-long"
        detail = "The URL or the headers are too long: send a shorter request, or clear this site's cookies."
    else:
        code, title, name = 400, "Bad Request", "no-http"
        detail = f"The request is not valid HTTP: {str(error)[:200]}."
    problem = {"type": f"urn:k8s-image-swapper:{name}", "title": title, "status": code, "code": name}
    body = json.dumps({**problem, "detail": detail}).encode()
    head = f"HTTP/1.1 {code} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
