"""False responses of a hostile registry, and the errors that each one can cause."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, ImageBuilder
from tests.support.faulty_registry import Action, endless, hang_up, reply

MIB = 1024 * 1024


@cache
def bomb() -> bytes:
    """Return a gzip bomb. It is created on demand because it takes longer than collecting the tests of this
    directory."""
    return gzip.compress(b" " * (100 * MIB))


def index_with(count: int) -> bytes:
    child = {"mediaType": OCI_MANIFEST, "size": 2}
    entries = [{**child, "digest": f"sha256:{number:064x}"} for number in range(count)]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def children_in_a_circle() -> bytes:
    """Return an index of an index with a false digest, because an index cannot name its own digest."""
    builder = ImageBuilder()
    inner = builder.index([{"mediaType": OCI_INDEX, "digest": f"sha256:{'1' * 64}", "size": 2}])
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}).encode()


def answers(status: int, body: bytes, **headers: str) -> Action:
    """Like ``reply``, but close the connection afterwards, because the length might be false."""

    def act(handler: Handler) -> bool:
        with suppress(OSError):
            handler.respond(status, body, **headers)
        return hang_up(handler)

    return act


def raw(text: bytes) -> Action:
    """Send these bytes instead of a response."""

    def act(handler: Handler) -> bool:
        with suppress(OSError):
            handler.wfile.write(text)
        return hang_up(handler)

    return act


def endless_headers(handler: Handler) -> bool:
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(200_000):
            handler.wfile.write(b"X-%d: 1\r\n" % number)
    return hang_up(handler)


MANIFEST = "GET .*/manifests/"


BLOB = "GET .*/blobs/"


TOKEN = "GET /token"


INJECTED = "text/plain\r\nX-Injected: 1"


def described(**more: object) -> bytes:
    descriptor = {"mediaType": OCI_LAYER, "digest": f"sha256:{'0' * 64}", "size": 1, **more}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [descriptor]}).encode()


Case = tuple[str, Callable[[], Action], set[str]]


CASES: dict[str, Case] = {
    "a manifest that is a gzip bomb": (
        MANIFEST,
        lambda: answers(200, bomb(), Content_Type=OCI_MANIFEST, Content_Encoding="gzip"),
        {"invalid", "bad-digest"},
    ),
    "a manifest without an end": (MANIFEST, lambda: endless, {"too-large"}),
    "a manifest of 9 MiB": (
        MANIFEST,
        lambda: answers(200, b" " * 9 * MIB, Content_Type=OCI_MANIFEST),
        {"too-large"},
    ),
    "a manifest that is shorter than announced": (
        MANIFEST,
        lambda: answers(200, b"{}", Content_Type=OCI_MANIFEST, Content_Length="1000"),
        {"unavailable"},
    ),
    "a manifest that is longer than announced": (
        MANIFEST,
        lambda: answers(200, described(), Content_Type=OCI_MANIFEST, Content_Length="5"),
        {"invalid"},
    ),
    "a negative length": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]"),
        {"invalid", "unavailable"},
    ),
    "two lengths": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
        {"invalid", "unavailable"},
    ),
    "a chunk of an absurd size": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n{}"),
        {"invalid", "unavailable"},
    ),
    "a chunk of a negative size": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"),
        {"invalid", "unavailable"},
    ),
    "no HTTP at all": (MANIFEST, lambda: raw(b"SSH-2.0-OpenSSH_9.2\r\n"), {"invalid", "unavailable"}),
    "HTTP/0.9": (MANIFEST, lambda: raw(b"hello"), {"invalid", "unavailable"}),
    "a status of 6 digits": (MANIFEST, lambda: raw(b"HTTP/1.1 200000 OK\r\n\r\n"), {"invalid", "unavailable"}),
    "headers without an end": (MANIFEST, lambda: endless_headers, {"invalid", "unavailable", "timeout"}),
    "a header line of a megabyte": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * MIB + b"\r\n\r\n"),
        {"invalid", "unavailable"},
    ),
    "a hundred interim answers": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
        {"invalid", "unavailable", "timeout"},
    ),
    "an index of 10,000 entries": (
        MANIFEST,
        lambda: answers(200, index_with(10_000), Content_Type=OCI_INDEX),
        {"too-large"},
    ),
    "children in a circle": (
        MANIFEST,
        lambda: answers(200, children_in_a_circle(), Content_Type=OCI_INDEX),
        {"bad-digest"},
    ),
    "a media type with a header in it": (
        MANIFEST,
        lambda: answers(200, described(mediaType=INJECTED), Content_Type=OCI_MANIFEST),
        {"invalid"},
    ),
    "a digest that leaves the path": (
        MANIFEST,
        lambda: answers(200, described(digest="sha256:../../../token"), Content_Type=OCI_MANIFEST),
        {"invalid"},
    ),
    "a digest with a query": (
        MANIFEST,
        lambda: answers(200, described(digest=f"sha256:{'0' * 64}?x=1"), Content_Type=OCI_MANIFEST),
        {"invalid"},
    ),
    "a layer of a negative size": (
        MANIFEST,
        lambda: answers(200, described(size=-1), Content_Type=OCI_MANIFEST),
        {"invalid"},
    ),
    "a layer of an exabyte": (
        MANIFEST,
        lambda: answers(200, described(size=1 << 60), Content_Type=OCI_MANIFEST),
        {"invalid"},
    ),
    "a layer of a terabyte": (
        MANIFEST,
        lambda: answers(200, described(size=1 << 40), Content_Type=OCI_MANIFEST),
        {"too-large"},
    ),
    "a blob that is a gzip bomb": (BLOB, lambda: answers(200, bomb(), Content_Encoding="gzip"), {"bad-digest"}),
    "a blob without an end": (BLOB, lambda: endless, {"bad-digest", "unavailable", "invalid"}),
    "a blob that is another one": (BLOB, lambda: answers(200, b"x" * 5000), {"bad-digest"}),
    "a blob that is longer": (BLOB, lambda: answers(200, b"x" * 50_000), {"bad-digest"}),
    "a blob that is shorter": (BLOB, lambda: answers(200, b"x"), {"bad-digest", "unavailable"}),
    "a part of a blob that is not the part": (
        BLOB,
        lambda: answers(206, b"x", Content_Range="bytes 4999-4999/5000"),
        {"bad-digest", "invalid", "unavailable"},
    ),
    "redirects in a circle": (MANIFEST, lambda: reply(307, Location="/v2/app/manifests/1.0"), {"invalid"}),
    "a redirect with a header in it": (
        MANIFEST,
        lambda: raw(b"HTTP/1.1 307 X\r\nLocation: /a\rX-Injected: 1\r\nContent-Length: 0\r\n\r\n"),
        {"invalid", "unavailable", "unsupported"},
    ),
    "a redirect to a file": (MANIFEST, lambda: reply(307, Location="file:///etc/passwd"), {"invalid"}),
    "a redirect with credentials": (MANIFEST, lambda: reply(307, Location="http://a:b@registry.test/"), {"invalid"}),
    "a wait of a year": (
        MANIFEST,
        lambda: reply(429, Retry_After="31536000"),
        {"rate-limited"},
    ),
}
