"""All data that a registry sends is parsed in linear time, into a value or an error that blames the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.oci import RegistryError
from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.engine_settings import MAX_MANIFEST_BYTES
from mirrors.oci.common.errors import MAX_ERROR_BYTES, oci_codes
from mirrors.oci.common.manifests import OCI_INDEX, OCI_MANIFEST
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution import challenges, headers, token_server

MOST_CPU_SECONDS = 0.010
"""The limit for a header or a URL of the largest size."""

HEADER_LIMIT = 65_000
"""The longest header line that http.client reads, in characters."""

WORST_TEXTS = [
    "a" * HEADER_LIMIT,
    "a " * (HEADER_LIMIT // 2),
    "a-" * (HEADER_LIMIT // 2),
    "a=" * (HEADER_LIMIT // 2),
    '"' * HEADER_LIMIT,
    'Bearer realm="' + '\\"' * (HEADER_LIMIT // 2),
    'Bearer realm="' + "\\" * HEADER_LIMIT,
    "Basic " * (HEADER_LIMIT // 6),
    "," * HEADER_LIMIT,
    "1" * HEADER_LIMIT,
    "bytes " + "1" * HEADER_LIMIT,
    "bytes 0-1/" * (HEADER_LIMIT // 10),
    "Fri, " * (HEADER_LIMIT // 5),
    "Fri, 31 Dec 9999 23:59:59 " + "-1200" * 10_000,
    "\xff" * HEADER_LIMIT,
    "https://" + "a." * (HEADER_LIMIT // 2),
    "https://h/" + "%" * HEADER_LIMIT,
    "https://h/" + "../" * (HEADER_LIMIT // 3),
    "a/" * (HEADER_LIMIT // 2) + ":",
    "a" * HEADER_LIMIT + "@sha256:" + "0" * 64,
    "<" * HEADER_LIMIT,
    "<a>;" * 4_900,
    '<a>; rel="' + "next " * 3_900,
]


def _mapping(name: str) -> Callable[[str], dict[str, str]]:
    return lambda text: {name: text}


PARSERS: dict[str, Callable[[str], object]] = {
    "challenge": lambda text: challenges.choose_challenge([text]),
    "forty challenges": lambda text: challenges.choose_challenge([text] * 40),
    "retry-after": lambda text: headers.retry_after({"Retry-After": text}),
    "content-range": lambda text: headers.content_range({"Content-Range": text}),
    "content-length": lambda text: headers.number(text),
    "content-type": lambda text: headers.media_type({"Content-Type": text}),
    "pulls left": lambda text: headers.remaining_pulls({"RateLimit-Remaining": text}),
    "link": lambda text: headers.next_link({"Link": text}),
    "url": lambda text: Url.parse(text, sent_by="r"),
    "location": lambda text: Url("https", "h", 443, "/").follow(text, sent_by="r"),
    "digest": descriptors.is_digest,
    "reference": ImageRef.parse,
    "error body": lambda text: oci_codes(text.encode()),
    "token": lambda text: token_server.read_token(text.encode(), "r"),
}


def cpu_seconds(parse: Callable[[str], object], text: str) -> float:
    """Return the shortest of three runs, because the machine may be busy."""
    runs = []
    for _ in range(3):
        started = time.thread_time()
        with suppress(RegistryError, InvalidReferenceError):
            parse(text)
        runs.append(time.thread_time() - started)
    return min(runs)


@pytest.mark.parametrize("parser", PARSERS)
def test_worst_case_text_is_parsed_within_10_milliseconds(parser: str) -> None:
    costs = {text[:30]: cpu_seconds(PARSERS[parser], text) for text in WORST_TEXTS}

    assert max(costs.values()) < MOST_CPU_SECONDS, costs


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":' + b"[" * MAX_ERROR_BYTES,
        b'{"errors":[' + b'{"code":"A"},' * (MAX_ERROR_BYTES // 13) + b"{}]}",
        b'{"errors":[{"code":"' + b"A" * MAX_ERROR_BYTES + b'"}]}',
        b'{"a":' * (MAX_ERROR_BYTES // 5),
        b"9" * MAX_ERROR_BYTES,
        b'{"token":"' + b"a" * token_server.MAX_TOKEN_REPLY_BYTES + b'"}',
    ],
)
def test_worst_case_small_bodies_are_parsed_within_10_milliseconds(body: bytes) -> None:
    text = body.decode()

    assert cpu_seconds(PARSERS["error body"], text) < MOST_CPU_SECONDS
    assert cpu_seconds(PARSERS["token"], text) < MOST_CPU_SECONDS


def index_of(count: int, **entry: object) -> bytes:
    child = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1, **entry}
    return json.dumps({"schemaVersion": 2, "manifests": [child] * count}).encode()


@pytest.mark.parametrize(
    "piece",
    [b"[" * 1024, b'{"a":' * 200, b"1," * 512, b'"\\u0000",' * 100, b"9" * 1024, b'{"manifests":[],' * 64],
    ids=["arrays", "objects", "numbers", "strings", "digits", "keys"],
)
def test_the_time_to_parse_a_manifest_is_linear_in_its_size(piece: bytes) -> None:
    """Doubling the size at most doubles the time, with a margin for the processor's caches."""

    def cost(size: int) -> float:
        raw = b'{"a":[' + piece * (size // len(piece))
        return cpu_seconds(lambda _: manifests.parse(raw, OCI_MANIFEST, host="r"), "")

    assert cost(MAX_MANIFEST_BYTES) < 8 * cost(MAX_MANIFEST_BYTES // 4) + 2 * MOST_CPU_SECONDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("999999999", 3600.0),
        ("9" * 90, 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 -1200", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("9" * 101, None),
        ("-5", None),
        ("1e9", None),
        ("inf", None),
        ("NaN", None),
        ("\u0661\u0662", None),
        ("Fri, 99 Foo 2999", None),
        ("", None),
    ],
)
def test_retry_after_is_parsed_and_limited_to_an_hour(text: str, expected: float | None) -> None:
    assert headers.retry_after({"Retry-After": text}) == expected


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        ("300", 300.0),
        ("5", 60.0),
        ("-1", 60.0),
        ("0", 60.0),
        ("9" * 400, 86_400.0),
        ("1e400", 86_400.0),
        ("NaN", 60.0),
        ("true", 60.0),
        ('"300"', 60.0),
        ("null", 60.0),
        ("[]", 60.0),
    ],
)
def test_the_lifetime_of_a_token_is_bounded(expires_in: str, seconds: float) -> None:
    body = f'{{"token": "t", "expires_in": {expires_in}}}'.encode()

    assert token_server.read_token(body, "r") == ("t", seconds)


@pytest.mark.parametrize(
    "text",
    [
        f"https://{'a' * 64}.example/x",
        f"https://{'a.' * 130}example/x",
        "https://exa mple/x",
        "https://-/x",
        "https://a..b/x",
        "https://[::1/x",
        "https://[fe80::1%25eth0]/x",
        "https://h:0/x",
        "https://h:99999/x",
        "https://h:port/x",
        "https://user:pass@h/x",
        "https:///x",
        "https:x",
        "ftp://h/x",
        "https://h/\x00",
        "https://h\\x",
        "https://*/x",
        "https://h/" + "a" * 17_000,
    ],
)
def test_an_invalid_url_of_a_registry_is_rejected(text: str) -> None:
    with pytest.raises(RegistryError) as caught:
        Url.parse(text, sent_by="registry.test")

    assert (caught.value.code, caught.value.host) == ("invalid", "registry.test")


@pytest.mark.parametrize(
    "location",
    [
        "https://other.test/v2/a%2fb/%7Euser/..;/x?sig=a%2fB%3d&x=1&empty=",
        "https://other.test/a/../b/./c//d?",
        "https://other.test//double?a=b?c=d",
        "https://other.test/caf\xe9",
    ],
)
def test_a_redirect_location_is_kept_byte_for_byte(location: str) -> None:
    absolute = Url("https", "r.test", 443, "/v2/x").follow(location, sent_by="r.test")
    path = location.removeprefix("https://other.test")
    relative = Url("https", "r.test", 443, "/v2/x").follow(path, sent_by="r.test")

    assert absolute.target == path
    if not path.startswith("//"):
        assert relative == Url("https", "r.test", 443, path)


@pytest.mark.parametrize(
    "entry",
    [
        {"mediaType": "text/plain\r\nX-Injected: 1"},
        {"mediaType": "a/" + "b" * 3_000_000},
        {"mediaType": ["a/b"]},
        {"mediaType": {"a": 1}},
        {"mediaType": "text/\u0000plain"},
        {"mediaType": "text/pl\u00e4in"},
        {"size": -1},
        {"size": 1 << 63},
        {"size": 1.5},
        {"size": True},
        {"size": "1"},
        {"digest": f"sha256:{'A' * 64}"},
        {"digest": f"sha256:{'0' * 63}"},
        {"digest": f"sha256:{'0' * 64}\n"},
        {"digest": 1},
    ],
)
def test_an_invalid_descriptor_is_a_permanent_error_of_its_registry(entry: dict[str, object]) -> None:
    with pytest.raises(RegistryError) as caught:
        manifests.parse(index_of(1, **entry), OCI_INDEX, host="source.test")

    assert (caught.value.code, caught.value.permanent, caught.value.host) == ("invalid", True, "source.test")
    assert len(str(caught.value)) < 300


def test_displayed_platforms_are_truncated_and_sanitized() -> None:
    platforms = [
        {"os": "linux", "architecture": "amd64"},
        {"os": "x" * 7_900_000, "architecture": "arm64"},
        {"os": "li\x00nux", "architecture": "\ud800", "variant": "<b>"},
        {"os": ["linux"], "architecture": {"a": 1}},
    ]
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": f"sha256:{i:064x}", "size": 1, "platform": p}
        for i, p in enumerate(platforms * 100)
    ]
    entries += [
        {**entries[0], "digest": f"sha256:{i:064x}", "platform": {"os": f"os-{i}", "architecture": "amd64"}}
        for i in range(500, 1_500)
    ]
    document = {"schemaVersion": 2, "manifests": entries[:4] + entries[400:]}

    found = manifests.parse(json.dumps(document).encode(), OCI_INDEX, host="r")

    assert found.platforms[:3] == ("linux/amd64", f"{'x' * 40}/arm64", "li?nux/?/?b?")
    assert len(found.platforms) == manifests.MAX_PLATFORMS
    assert len(found.children) == 1_004
