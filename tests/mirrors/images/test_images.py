"""Image references: the grammar, and the canonical form."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrors.images import ImageRef, InvalidReferenceError, normalise_host, pinned_tag
from tests.mirrors.images.references import SHA256, SHA512, digests, references, tags


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        (f"nginx@{SHA256}", f"docker.io/library/nginx@{SHA256}"),
        (f"nginx:1.25@{SHA512}", f"docker.io/library/nginx:1.25@{SHA512}"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("registry.hub.docker.com/library/nginx", "docker.io/library/nginx:latest"),
        ("GHCR.io/acme/app", "ghcr.io/acme/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("LOCALHOST/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("registry:5000/app:v1", "registry:5000/app:v1"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
        ("[2001:DB8:0::1]:5000/app", "[2001:db8::1]:5000/app:latest"),
        ("[::ffff:102:304]/app", "[0:0:0:0:0:ffff:102:304]/app:latest"),
        ("xn--7o8h.com/app", "xn--7o8h.com/app:latest"),
        ("a__b/c---d/e.f_g", "docker.io/a__b/c---d/e.f_g:latest"),
        ("docker.io/" + "a" * 64, "docker.io/library/" + "a" * 64 + ":latest"),
        ("a" * 63, "docker.io/library/" + "a" * 63 + ":latest"),
        ("a" * 64 + ":v1", "docker.io/library/" + "a" * 64 + ":v1"),
        (f"ghcr.io/{'a' * 255}:{'t' * 128}", f"ghcr.io/{'a' * 255}:{'t' * 128}"),
    ],
)
def test_references_are_normalised_as_by_the_kubelet(text: str, canonical: str) -> None:
    assert str(ImageRef.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " nginx",
        "nginx\n",
        "nginx:",
        "nginx@",
        "nginx:tag:tag",
        "Nginx",
        "library/Nginx",
        "ghcr.io/Acme/app",
        "Uppercase/app",
        "a" * 64,
        "-nginx",
        "nginx-",
        "a//b",
        "/a",
        "a/",
        "a___b",
        "a..b",
        "a._b",
        "ngınx",
        "nginx:١",
        "nginx:-tag",
        "nginx:.tag",
        "nginx:" + "t" * 129,
        "ghcr.io/" + "a" * 256,
        "ghcr.io/",
        "a" * 250,
        "https://ghcr.io/acme/app",
        "user@ghcr.io/acme/app",
        "reg.example:port/app",
        "reg.example:0/app",
        "reg.example:65536/app",
        "reg-.example/app",
        ".example/app",
        "[::1/app",
        "[:::]/app",
        "[::1]app/x",
        "[fe80::1%eth0]/app",
        "nginx@sha256:" + "a" * 63,
        "nginx@sha256:" + "A" * 64,
        "nginx@sha256:" + "a" * 65,
        "nginx@sha512:" + "a" * 64,
        "nginx@md5:" + "a" * 32,
        f"nginx@{SHA256}@{SHA256}",
        f"nginx@{SHA256}:tag",
    ],
)
def test_invalid_references_are_rejected(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        ImageRef.parse(text)


def test_error_messages_state_the_problem() -> None:
    with pytest.raises(InvalidReferenceError, match="'ghcr.io/Acme/app' is not a valid image reference: .*lower case"):
        ImageRef.parse("ghcr.io/Acme/app")
    with pytest.raises(InvalidReferenceError, match="a tag has 1 to 128"):
        ImageRef.parse("nginx:-x")
    with pytest.raises(InvalidReferenceError, match="digest is sha256"):
        ImageRef.parse("nginx@sha256:abc")


@pytest.mark.parametrize("piece", ["a", "a-", "a.", "a_", "a/", ":", "@", "-", "1:", "[", "a:", "a@sha256:"])
def test_long_hostile_text_is_rejected_within_the_cpu_time_limit(piece: str) -> None:
    started = time.process_time()
    for length in (1_000, 1_000_000):
        for tail in ("", "!", "\n"):
            with pytest.raises(InvalidReferenceError):
                ImageRef.parse((piece * length)[:length] + tail + "é" * 10)
    assert time.process_time() - started < 0.2


@settings(deadline=None)
@given(references())
def test_the_canonical_form_is_parsed_to_the_same_reference(text: str) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        assert len(text) > 255, "only length may make such a reference invalid"
        return
    assert ImageRef.parse(str(ref)) == ref
    assert str(ref).startswith(ref.name)
    assert ref.manifest_reference in (ref.digest, ref.tag)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return
    assert ImageRef.parse(str(ref)) == ref


def test_the_manifest_reference_is_the_digest_if_there_is_one() -> None:
    ref = ImageRef.parse(f"nginx:1.25@{SHA256}")
    assert ref.manifest_reference == SHA256
    assert ImageRef.parse("nginx:1.25").manifest_reference == "1.25"


@pytest.mark.parametrize("tag", ["a:b", "-a", "t" * 129])
def test_an_invalid_tag_or_digest_is_rejected(tag: str) -> None:
    for text in (f"nginx:{tag}", f"nginx@sha256:{tag}"):
        with pytest.raises(InvalidReferenceError):
            ImageRef.parse(text)


def test_hosts_are_normalised_and_single_words_are_rejected() -> None:
    assert normalise_host("Index.Docker.io") == "docker.io"
    assert normalise_host("[0:0::1]:05000") == "[::1]:5000"
    with pytest.raises(InvalidReferenceError, match="registry:443"):
        normalise_host("registry")


@settings(deadline=None)
@given(st.none() | tags, digests)
def test_a_pinned_tag_ends_with_the_start_of_its_digest(tag: str | None, digest: str) -> None:
    pinned = pinned_tag(tag, digest)
    assert ImageRef.parse(f"nginx:{pinned}").tag == pinned
    assert pinned.endswith("-" + digest.split(":")[1][:12])
    assert pinned.startswith((tag or "digest")[:115])


def test_a_pinned_tag_of_a_reference_without_a_tag_starts_with_digest() -> None:
    assert pinned_tag(None, SHA256) == "digest-0123456789ab"
    assert pinned_tag("1.0", SHA256) == "1.0-0123456789ab"
