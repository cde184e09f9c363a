"""A hostile registry learns nothing and reaches nothing: each case ends in its own error, soon, at its own host."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, ImageBuilder, sample_image
from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, Engine, RegistryError
from tests.oci.conftest import LOGIN, PUBLIC, Internet, access, port_of, public_access
from tests.support.faulty_registry import Action, FaultyRegistry, endless, hang_up, reply

SECRET = "pass"
MOST_SECONDS = 20.0
"""For a copy that fails, with all its retries, on a busy machine."""

ALWAYS = 10_000
"""Answers; a copy that fails asks a few hundred times at most."""

MIB = 1024 * 1024
BOMB = gzip.compress(b" " * (100 * MIB))

INSIDE = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "169.254.169.254",
    "[fe80::1]",
    "10.0.0.1",
    "172.31.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "[fd00:ec2::254]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "0x7f.1",
    "inside.test",
    "turns.test",
    "postgres",
]
"""Addresses that are not of the internet, in each notation; names that lead there, at once or with the second look."""


def registry_of(source: FaultyRegistry) -> str:
    return f"registry.test:{port_of(source)}"


@pytest.fixture(autouse=True)
def names(internet: Internet) -> None:
    internet.name("registry.test.", PUBLIC)
    internet.name("inside.test.", "10.0.0.1")
    internet.name("turns.test.", [PUBLIC, "127.0.0.1"])
    internet.name("localhost.", "127.0.0.1")
    internet.name("2130706433.", "127.0.0.1")
    internet.name("0x7f.1.", "127.0.0.1")


@contextmanager
def ends_soon() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < MOST_SECONDS


def failed(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> RegistryError:
    """The error of a copy from a registry of the internet, with credentials, to a configured one."""
    sample_image(layers=1, platforms=("linux/amd64",), layer_bytes=5000).load(source.storage, "app", "1.0")
    host = registry_of(source)
    there = ImageRef.parse(f"{target.host}/app:1.0")
    with pytest.raises(RegistryError) as caught, ends_soon():
        engine.copy(
            CopyRequest(ImageRef(host, "app", "1.0"), there, public_access(port_of(source), LOGIN), access(target.host))
        )
    assert caught.value.host == host
    assert SECRET not in str(caught.value)
    assert not target.storage.tags
    return caught.value


def led_to(where: str, url: str) -> tuple[str, Action]:
    """The request, and the answer to it that leads there."""
    if where == "token realm":
        return "(HEAD|GET) .*/manifests/", reply(401, WWW_Authenticate=f'Bearer realm="{url}",service="x"')
    return {"manifest": "(HEAD|GET) .*/manifests/", "blob": "GET .*/blobs/"}[where], reply(307, Location=url)


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("where", ["manifest", "blob", "token realm"])
def test_nothing_leads_inside(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, where: str, inside: str
) -> None:
    victim = port_of(target)
    source.on(*led_to(where, f"http://{inside}:{victim}/latest/meta-data"), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in {"address-refused", "invalid", "unavailable"}
    assert not target.found(".*meta-data")
    assert not any("Authorization" in asked.headers for asked in target.asked)


@pytest.mark.parametrize("inside", INSIDE)
def test_an_upload_is_not_led_inside(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, inside: str
) -> None:
    """A target of the internet, and a source that is configured: the other way round."""
    victim = port_of(source)
    sample_image(layers=1, layer_bytes=5000).load(source.storage, "app", "1.0")
    target.on("POST ", reply(202, Location=f"http://{inside}:{victim}/upload?_state=1"), times=ALWAYS)
    host = registry_of(target)
    request = CopyRequest(
        ImageRef.parse(f"{source.host}/app:1.0"),
        ImageRef(host, "app", "1.0"),
        access(source.host),
        public_access(port_of(target), LOGIN),
    )

    with pytest.raises(RegistryError) as caught, ends_soon():
        engine.copy(request)

    assert caught.value.code in {"address-refused", "invalid", "unavailable"}
    assert not source.found(".*/upload")


@pytest.mark.parametrize("inside", INSIDE)
def test_a_list_of_referrers_is_not_led_inside(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, inside: str
) -> None:
    sample_image(layers=1, layer_bytes=5000).load(source.storage, "app", "1.0")
    victim = port_of(target)
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    link = f'<http://{inside}:{victim}/secrets>; rel="next"'
    source.on("GET .*/referrers/", reply(200, index, Link=link), times=ALWAYS)
    request = CopyRequest(
        ImageRef(registry_of(source), "app", "1.0"),
        ImageRef.parse(f"{target.host}/app:1.0"),
        public_access(port_of(source), LOGIN),
        access(target.host),
    )
    image = engine.copy(request)

    with ends_soon():
        result = engine.copy_referrers(request, image, "signatures")

    assert result.problems
    assert not target.found(".*/secrets")


def index_with(count: int) -> bytes:
    child = {"mediaType": OCI_MANIFEST, "size": 2}
    entries = [{**child, "digest": f"sha256:{number:064x}"} for number in range(count)]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def children_in_a_circle() -> bytes:
    """An index cannot name its own digest: it names children that are not what they are said to be."""
    builder = ImageBuilder()
    inner = builder.index([{"mediaType": OCI_INDEX, "digest": f"sha256:{'1' * 64}", "size": 2}])
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}).encode()


def answers(status: int, body: bytes, **headers: str) -> Action:
    """Like ``reply``, and hangs up after it: the length may be false."""

    def act(handler: Handler) -> bool:
        with suppress(OSError):
            handler.answer(status, body, **headers)
        return hang_up(handler)

    return act


def raw(text: bytes) -> Action:
    """These bytes in place of an answer."""

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
        lambda: answers(200, BOMB, Content_Type=OCI_MANIFEST, Content_Encoding="gzip"),
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
    "a blob that is a gzip bomb": (BLOB, lambda: answers(200, BOMB, Content_Encoding="gzip"), {"bad-digest"}),
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


@pytest.mark.parametrize("case", CASES)
def test_a_false_answer_ends_in_its_own_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, case: str
) -> None:
    asked, action, codes = CASES[case]
    source.on("HEAD .*/manifests/", reply(404), times=ALWAYS)
    source.on(asked, action(), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in codes
    assert len(str(error)) < 500
    assert not any("X-Injected" in sent.headers for sent in (*source.asked, *target.asked))


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b" " * 2 * MIB,
        b"[" * 500_000,
        b'{"token": "a\\r\\nX-Injected: 1"}',
        b'{"token": ["a"]}',
        b'{"token": "' + b"a" * 100_000 + b'"}',
        b"",
    ],
    ids=["bomb", "large", "deep", "injected", "list", "long", "empty"],
)
def test_a_false_token_ends_in_its_own_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, body: bytes
) -> None:
    realm = f"http://{registry_of(source)}/token"
    source.on(TOKEN, answers(200, body, Content_Encoding="gzip"), times=ALWAYS)
    source.on("(HEAD|GET) /v2/", reply(401, WWW_Authenticate=f'Bearer realm="{realm}"'), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in {"invalid", "too-large", "unauthorized", "unavailable"}
    assert not any("X-Injected" in sent.headers for sent in source.asked)
