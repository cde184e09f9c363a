"""A hostile registry learns nothing: each false response soon causes its own error, attributed to the registry's
host."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mirrors.oci import Engine
from tests.oci.hostile.false_answers import CASES, MIB, TOKEN, answers, bomb
from tests.oci.hostile.hostile_copy import ALWAYS, failed, registry_of
from tests.support.faulty_registry import FaultyRegistry, reply


@pytest.mark.parametrize("case", CASES)
def test_a_malicious_response_causes_its_expected_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, case: str
) -> None:
    requested, action, codes = CASES[case]
    source.on("HEAD .*/manifests/", reply(404), times=ALWAYS)
    source.on(requested, action(), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in codes
    assert len(str(error)) < 500
    assert not any("X-Injected" in sent.headers for sent in (*source.requests, *target.requests))


@pytest.mark.parametrize(
    "body",
    [
        bomb,
        b" " * 2 * MIB,
        b"[" * 500_000,
        b'{"token": "a\\r\\nX-Injected: 1"}',
        b'{"token": ["a"]}',
        b'{"token": "' + b"a" * 100_000 + b'"}',
        b"",
    ],
    ids=["bomb", "large", "deep", "injected", "list", "long", "empty"],
)
def test_a_malicious_token_response_causes_an_expected_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, body: bytes | Callable[[], bytes]
) -> None:
    realm = f"http://{registry_of(source)}/token"
    source.on(TOKEN, answers(200, body() if callable(body) else body, Content_Encoding="gzip"), times=ALWAYS)
    source.on("(HEAD|GET) /v2/", reply(401, WWW_Authenticate=f'Bearer realm="{realm}"'), times=ALWAYS)

    error = failed(engine, source, target)

    assert error.code in {"invalid", "too-large", "unauthorized", "unavailable"}
    assert not any("X-Injected" in sent.headers for sent in source.requests)
