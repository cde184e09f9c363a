"""The response to a request that is not valid HTTP: a problem (RFC 9457), as Django's errors are."""

from __future__ import annotations

import json

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException


def response(error: ParseException) -> bytes:
    """The whole response, after which the connection is closed."""
    if isinstance(error, LimitRequestLine | LimitRequestHeaders):
        code, title, name = 431, "Request Header Fields Too Large", "too-long"
        words = "The URL or the headers are too long: send a shorter request, or clear this site's cookies."
    else:
        code, title, name = 400, "Bad Request", "no-http"
        words = f"The request is not valid HTTP: {str(error)[:200]}."
    problem = {"type": f"urn:k8s-image-swapper:{name}", "title": title, "status": code, "code": name}
    body = json.dumps({**problem, "detail": words}).encode()
    head = f"HTTP/1.1 {code} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
