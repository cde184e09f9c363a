"""An index with fewer platforms: its text lacks only the removed entries."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from mirrors.demo.images import OCI_INDEX, OCI_MANIFEST
from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.transfer.kept_platforms import keep_platforms

HOST = "registry.example"


def entry(number: int, platform: str) -> dict[str, Any]:
    os, architecture = platform.split("/")
    return {
        "mediaType": OCI_MANIFEST,
        "digest": f"sha256:{number:064x}",
        "size": 7,
        "platform": {"os": os, "architecture": architecture},
    }


AMD64, ARM64, S390X = entry(1, "linux/amd64"), entry(2, "linux/arm64"), entry(3, "linux/s390x")
ALL = json.dumps([AMD64, ARM64, S390X])
OTHERS = json.dumps([AMD64, S390X])


def kept(text: str | bytes, *wanted: str) -> str:
    raw = text.encode() if isinstance(text, str) else text
    found = keep_platforms(manifests.parse(raw, OCI_INDEX, host=HOST), wanted, host=HOST)
    assert found.digest == descriptors.digest_of(found.raw)
    return found.raw.decode()


@pytest.mark.parametrize(
    "rest",
    [
        '"annotations": {"text": "\\ud800 \\u003c é \\"manifests\\": ["}',
        '"x": 1e999, "y": 1.00000000000000000001, "z": -0.0, "big": 123456789012345678901234567890',
        '"x": [[[[0, 0], {"manifests": [1, 2]}]]], "y": {}, "z": []',
        '"mediaType" : "application/vnd.oci.image.index.v1+json" \t',
        '"empty": "", "nothing": null, "no": false',
    ],
)
@pytest.mark.parametrize(
    "form", ['{REST, "manifests": LIST}', '{ "manifests" :LIST,\r\nREST }', '\n {REST,\n\t"manifests":LIST\n}\n ']
)
def test_the_rest_of_the_index_keeps_its_exact_text(rest: str, form: str) -> None:
    def text(entries: str) -> str:
        return form.replace("LIST", entries).replace("REST", rest)

    assert kept(text(ALL), "linux/amd64", "linux/s390x") == text(OTHERS)


@pytest.mark.parametrize("indent", [None, 0, 2, "\t"])
def test_an_index_keeps_its_formatting(indent: int | str | None) -> None:
    def text(entries: list[dict[str, Any]]) -> str:
        return json.dumps({"schemaVersion": 2, "manifests": entries}, indent=indent)

    everything = text([AMD64, ARM64, S390X])
    assert kept(everything, "linux/arm64") == text([ARM64])
    assert kept(everything, "linux/amd64", "linux/arm64") == text([AMD64, ARM64])
    assert kept(everything, "linux/arm64", "linux/s390x") == text([ARM64, S390X])
    assert kept(everything, "linux/amd64", "linux/arm64", "linux/s390x") == everything


def test_an_index_keeps_its_text_encoding() -> None:
    raw = f'{{"manifests": {ALL}}}'.encode("utf-16")
    found = keep_platforms(manifests.parse(raw, OCI_INDEX, host=HOST), ["linux/amd64"], host=HOST)
    assert json.loads(found.raw) == {"manifests": [AMD64]}
    assert found.raw.decode("utf-16")


@pytest.mark.parametrize("first", [OTHERS, "[]", "null", "7", ALL])
def test_duplicate_manifests_keys_are_rejected_or_the_last_one_is_used(first: str) -> None:
    text = f'{{"manifests": {first}, "manifests": {ALL}}}'
    if first.startswith("[{"):
        with pytest.raises(RegistryError, match="has several lists of manifests") as caught:
            kept(text, "linux/amd64")
        assert caught.value.code == "invalid"
    else:
        assert json.loads(kept(text, "linux/amd64"))["manifests"] == [AMD64]


def test_filtering_a_deeply_nested_index_uses_limited_memory() -> None:
    """Serialized with indentation, it would have a hundred times its size."""
    deep = "[" * 800 + ",".join(["0"] * 20_000) + "]" * 800
    raw = f'{{"manifests": {ALL}, "x": {deep}}}'
    tracemalloc.start()
    try:
        found = kept(raw, "linux/amd64")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) < len(raw)
    assert peak < 40 * len(raw)
