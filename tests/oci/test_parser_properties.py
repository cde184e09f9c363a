"""Parsers of data from registries, on generated text: written values are read back, and the parsers raise only their
own error."""

from __future__ import annotations

import base64
import json
import string
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.oci import RegistryError
from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.manifests import OCI_INDEX, OCI_MANIFEST
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution import challenges, headers
from mirrors.oci.referrers import identities, listing
from mirrors.oci.referrers.kinds import Referrer, cosign_tags, fallback_tag
from tests.support.signing import Signer

ANY = st.text(max_size=300)
VISIBLE = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
NAMES = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=10)
HEXADECIMAL = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
DIGESTS = st.builds("sha256:{}".format, HEXADECIMAL)
PATHS = st.text(alphabet=string.ascii_letters + string.digits + "/?&=%._~-", max_size=80)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "digest", "size", "platform", "urls"]
    + ["annotations", "artifactType", "blobs", "os", "architecture", "rawBytes", "verificationMaterial", "certificate"]
)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    JSON | DIGESTS | st.integers(0, 1 << 55),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=8),
    max_leaves=30,
)
CERTIFICATE = Signer("https://example.com/workflow").certificate().public_bytes(Encoding.DER)
VERSION_3 = b"\xa0\x03\x02\x01\x02"
"""The version of an X.509 certificate, in DER."""


def bundle_with(certificate: bytes) -> bytes:
    """Return a Sigstore bundle with this certificate (DER)."""
    material = {"certificate": {"rawBytes": base64.b64encode(certificate).decode()}}
    return json.dumps({"verificationMaterial": material}).encode()


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(realm=VISIBLE.filter(bool), service=VISIBLE, scope=VISIBLE, other=NAMES)
def test_a_generated_challenge_is_parsed_back_unchanged(realm: str, service: str, scope: str, other: str) -> None:
    header = f"Bearer realm={quoted(realm)},service={quoted(service)}, scope={quoted(scope)},{other}x=1"

    found = challenges.choose_challenge([header])

    assert found == challenges.Challenge("bearer", realm, service, scope)


@given(st.lists(ANY, max_size=4))
def test_arbitrary_challenges_are_parsed_without_an_error(texts: list[str]) -> None:
    found = challenges.choose_challenge(texts)

    assert found is None or found.scheme in {"bearer", "basic"}


@given(first=st.integers(0, 10**17), length=st.integers(1, 10**6), size=st.none() | st.integers(0, 10**17))
def test_a_generated_content_range_is_parsed_back_unchanged(first: int, length: int, size: int | None) -> None:
    text = f"bytes {first}-{first + length - 1}/{'*' if size is None else size}"

    assert headers.content_range({"Content-Range": text}) == (first, size)


@given(ANY | st.from_regex(r"bytes [0-9-]{1,9}/[0-9*]{1,9}", fullmatch=True))
def test_an_arbitrary_content_range_is_parsed_as_numbers_or_none(text: str) -> None:
    found = headers.content_range({"Content-Range": text})

    assert found is None or (found[0] >= 0 and (found[1] is None or found[1] >= 0))


@given(path=PATHS, others=st.lists(st.tuples(PATHS, st.sampled_from(["prev", "first", "self"])), max_size=3))
def test_the_next_link_is_found_among_others(path: str, others: list[tuple[str, str]]) -> None:
    links = [f'</{target}>; rel="{rel}"' for target, rel in others]
    links.insert(len(links) // 2, f'</{path}>; title="a, b"; rel="next"')

    assert headers.next_link({"Link": ", ".join(links)}) == f"/{path}"


@given(ANY)
@example("<a>; rel=next")
@example('<a>;rel="prev next"')
@example('<a>; REL="Next", <b>')
@example("<>; rel=next")
def test_the_next_link_is_a_substring_of_its_header(text: str) -> None:
    assert headers.next_link({"Link": text}) in text


@given(ANY)
def test_an_arbitrary_link_is_followed_only_to_an_http_url(text: str) -> None:
    with suppress(RegistryError):
        followed = Url("https", "r.test", 443, "/v2/a").follow(text, sent_by="r.test")
        assert followed.scheme in {"http", "https"}
        assert followed.target.startswith("/")


@given(ANY)
def test_an_arbitrary_reference_round_trips_or_is_rejected(text: str) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return
    assert ImageRef.parse(str(ref)) == ref


@given(document=DOCUMENTS, content_type=st.sampled_from([OCI_INDEX, OCI_MANIFEST, "", "text/html"]))
def test_an_arbitrary_manifest_is_parsed_or_is_an_error_of_its_registry(document: object, content_type: str) -> None:
    raw = json.dumps(document).encode("utf-8", "surrogatepass")
    for digest in (None, descriptors.digest_of(raw)):
        try:
            found = manifests.parse(raw, content_type, host="r.test", digest=digest)
        except RegistryError as error:
            assert (error.host, error.permanent) == ("r.test", True)
        else:
            assert found.raw == raw
            assert all(descriptors.is_digest(d.digest) for d in (*found.children, *found.blobs))
            assert found.subject == "" or descriptors.is_digest(found.subject)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_parsed_or_raise_a_registry_error(raw: bytes) -> None:
    with suppress(RegistryError):
        manifests.parse(raw, OCI_MANIFEST, host="r.test")
    with suppress(RegistryError):
        listing.parse_index(raw, "r.test")


@given(
    digest=DIGESTS,
    size=st.integers(0, 1 << 40),
    kind=st.builds("application/{}".format, NAMES) | st.just(""),
    notes=st.dictionaries(VISIBLE, VISIBLE, max_size=4),
)
def test_a_generated_referrer_is_parsed_back_from_a_list_unchanged(
    digest: str, size: int, kind: str, notes: dict[str, str]
) -> None:
    referrer = Referrer(digest, OCI_MANIFEST, size, kind, notes)
    raw = json.dumps({"schemaVersion": 2, "manifests": [referrer.entry]}).encode()

    assert listing.parse_index(raw, "r.test") == listing.ReferrerList([referrer])


@given(DOCUMENTS)
def test_arbitrary_referrer_lists_are_parsed_or_raise_a_registry_error(entries: object) -> None:
    raw = json.dumps({"manifests": entries}).encode("utf-8", "surrogatepass")
    with suppress(RegistryError):
        assert all(descriptors.is_digest(referrer.digest) for referrer in listing.parse_index(raw, "r.test").referrers)


@given(DOCUMENTS | st.binary(max_size=200))
def test_an_arbitrary_bundle_has_no_identities(document: object) -> None:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode("utf-8", "surrogatepass")
    material = {"verificationMaterial": document} if not isinstance(document, bytes) else {}

    assert list(identities.of_bundle(raw)) == []
    assert list(identities.of_bundle(json.dumps(material).encode("utf-8", "surrogatepass"))) == []


@given(st.integers(min_value=0, max_value=10**6), st.binary(min_size=1, max_size=3))
def test_a_damaged_certificate_raises_no_error(place: int, bytes_there: bytes) -> None:
    """A certificate in which some bytes were replaced, such as its version, raises no error."""
    place %= len(CERTIFICATE)
    der = CERTIFICATE[:place] + bytes_there + CERTIFICATE[place + len(bytes_there) :]

    assert all(name.isprintable() for name in identities.of_bundle(bundle_with(der)))


def test_only_a_certificate_of_version_3_has_identities() -> None:
    place = CERTIFICATE.index(VERSION_3) + len(VERSION_3) - 1
    versions = [
        version
        for version in range(256)
        if list(identities.of_bundle(bundle_with(CERTIFICATE[:place] + bytes([version]) + CERTIFICATE[place + 1 :])))
    ]

    assert versions == [2], "X.509 counts versions from 0"


@given(DOCUMENTS)
def test_arbitrary_layers_have_no_identities(layers: object) -> None:
    annotated = {"layers": [{"annotations": {identities.CERTIFICATE_ANNOTATION: layers}}]}

    assert list(identities.of_signature_manifest({"layers": layers})) == []
    assert list(identities.of_signature_manifest(annotated)) == []


@given(DIGESTS)
def test_tags_of_a_digest_are_valid_and_distinct(digest: str) -> None:
    tags = [fallback_tag(digest), *cosign_tags(digest, "all")]

    assert len(set(tags)) == 4
    assert all(ImageRef.parse(f"r.test/app:{tag}").tag == tag for tag in tags)


def test_a_sha512_digest_has_a_truncated_fallback_tag_and_no_cosign_tags() -> None:
    digest = f"sha512:{'a' * 128}"

    assert fallback_tag(digest) == f"sha512-{'a' * 64}"
    assert cosign_tags(digest, "all") == ()
