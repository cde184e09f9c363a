"""Image references: the grammar, the canonical form, and the name at the target."""

from __future__ import annotations

import hashlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrors.images import ImageRef, InvalidReferenceError, TargetName, normalise_host, pinned_tag

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8

components = st.from_regex(r"[a-z0-9]{1,12}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
paths = st.lists(components, min_size=1, max_size=6).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
digests = st.from_regex(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}", fullmatch=True)
labels = st.from_regex(r"[A-Za-z0-9]{1,10}(-{1,2}[A-Za-z0-9]{1,5})?", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
ports = st.integers(1, 65535).map(str)
addresses = st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]")
hosts = st.one_of(
    names, st.builds("{}:{}".format, names, ports), addresses, st.builds("{}:{}".format, addresses, ports)
)


@st.composite
def references(draw: st.DrawFn) -> str:
    text = draw(paths)
    # Without a host the first component must not look like one.
    text = f"{draw(hosts)}/{text}" if draw(st.booleans()) else f"acme/{text}"
    if draw(st.booleans()):
        text += f":{draw(tags)}"
    if draw(st.booleans()):
        text += f"@{draw(digests)}"
    return text


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
def test_references_get_the_canonical_form_that_the_kubelet_would_use(text: str, canonical: str) -> None:
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
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        ImageRef.parse(text)


def test_messages_say_what_is_wrong() -> None:
    with pytest.raises(InvalidReferenceError, match="'ghcr.io/Acme/app' is not a valid image reference: .*lower case"):
        ImageRef.parse("ghcr.io/Acme/app")
    with pytest.raises(InvalidReferenceError, match="a tag has 1 to 128"):
        ImageRef.parse("nginx:-x")
    with pytest.raises(InvalidReferenceError, match="digest is sha256"):
        ImageRef.parse("nginx@sha256:abc")


@pytest.mark.parametrize("piece", ["a", "a-", "a.", "a_", "a/", ":", "@", "-", "1:", "[", "a:", "a@sha256:"])
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    for length in (1_000, 1_000_000):
        for tail in ("", "!", "\n"):
            with pytest.raises(InvalidReferenceError):
                ImageRef.parse((piece * length)[:length] + tail + "é" * 10)
    assert time.process_time() - started < 0.2


@settings(deadline=None)
@given(references())
def test_the_canonical_form_reads_back_as_itself(text: str) -> None:
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
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return
    assert ImageRef.parse(str(ref)) == ref


def test_a_digest_alone_is_what_the_registry_is_asked_for() -> None:
    ref = ImageRef.parse(f"nginx:1.25@{SHA256}")
    assert ref.manifest_reference == SHA256
    assert ImageRef.parse("nginx:1.25").manifest_reference == "1.25"


@pytest.mark.parametrize("tag", ["a:b", "-a", "t" * 129])
def test_a_bad_tag_or_digest_makes_no_reference(tag: str) -> None:
    for text in (f"nginx:{tag}", f"nginx@sha256:{tag}"):
        with pytest.raises(InvalidReferenceError):
            ImageRef.parse(text)


ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("prefix", "source", "target"),
    [
        ("", "nginx:1.25", f"{ECR}/docker.io/library/nginx:1.25"),
        ("mirror", f"ghcr.io/acme/app:1@{SHA256}", f"{ECR}/mirror/ghcr.io/acme/app:1@{SHA256}"),
        ("/a/b/", f"ghcr.io/acme/app@{SHA256}", f"{ECR}/a/b/ghcr.io/acme/app@{SHA256}"),
        ("", "registry.example.com:5000/app", f"{ECR}/registry.example.com_5000/app:latest"),
        ("", "[2001:db8::]:80/app", f"{ECR}/2001_0db8_0000_0000_0000_0000_0000_0000_80/app:latest"),
    ],
)
def test_the_target_name_holds_the_source_name(prefix: str, source: str, target: str) -> None:
    assert str(TargetName(ECR, prefix).retarget(ImageRef.parse(source))) == target


def test_an_over_long_name_keeps_its_head_and_ends_in_its_hash() -> None:
    full = f"ghcr.io/{'a' * 250}"
    ref = ImageRef.parse(f"{full}:v1")
    shortened = TargetName(ECR, max_repository=256).retarget(ref)
    assert len(shortened.repository) == 256
    assert shortened.repository == full[:223] + "-" + hashlib.sha256(full.encode()).hexdigest()[:32]
    assert shortened.tag == "v1"
    longest = ImageRef.parse(f"ghcr.io/{'a' * 248}")
    assert TargetName(ECR, max_repository=256).retarget(longest).repository == f"ghcr.io/{'a' * 248}"


@settings(deadline=None)
@given(references(), st.sampled_from(["", "mirror", "a/b-c"]), st.sampled_from([100, 255, 256]))
def test_a_valid_reference_always_has_a_valid_place_at_the_target(text: str, prefix: str, limit: int) -> None:
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return
    target = TargetName("registry.internal:5000", prefix, limit)
    placed = target.retarget(ref)
    assert target.contains(placed)
    assert len(placed.repository) <= limit
    assert (placed.tag, placed.digest) == (ref.tag, ref.digest)
    assert re.fullmatch(r"[a-z0-9]+((\.|__?|-+|/)[a-z0-9]+)*", placed.repository)
    if limit == 255:
        assert ImageRef.parse(str(placed)) == placed


def test_two_sources_never_share_a_target() -> None:
    long = "a" * 240
    sources = [
        "nginx",
        "ghcr.io/docker.io/library/nginx",
        "reg.example/5000/app",
        "reg.example:5000/app",
        "reg.example:500/app",
        "[::1]/app",
        "[::1:80]/app",
        "[::1]:80/app",
        *(f"ghcr.io/{long}{tail}" for tail in ("b", "c", "-b", "/b", "_b", "__b")),
    ]
    target = TargetName("registry.internal:5000", "mirror")
    assert len({target.retarget(ImageRef.parse(source)) for source in sources}) == len(sources)


@pytest.mark.parametrize(
    ("image", "inside"),
    [
        ("registry.internal:5000/mirror/docker.io/library/nginx", True),
        ("REGISTRY.internal:5000/mirror/app", True),
        ("dual.registry.internal/mirror/app", True),
        ("registry.internal:5000/mirror", True),
        ("registry.internal:5000/mirror-other/app", False),
        ("registry.internal:5000/mirror2/app", False),
        ("registry.internal:5000/other/mirror/app", False),
        ("registry.internal/mirror/app", False),
        ("docker.io/mirror/app", False),
    ],
)
def test_what_lies_at_the_target_already_is_recognised_on_a_path_boundary(image: str, inside: bool) -> None:
    target = TargetName("Registry.Internal:5000", "mirror/", aliases=("dual.registry.internal",))
    assert target.contains(ImageRef.parse(image)) is inside


def test_without_a_prefix_the_whole_registry_is_the_target() -> None:
    target = TargetName("index.docker.io")
    assert target.contains(ImageRef.parse("nginx"))
    assert not target.contains(ImageRef.parse("ghcr.io/acme/app"))


@pytest.mark.parametrize(
    ("endpoint", "prefix"), [("registry", ""), ("https://r.io", ""), ("r.io", "A"), ("r.io", "a//b")]
)
def test_a_target_that_no_reference_could_name_is_refused(endpoint: str, prefix: str) -> None:
    with pytest.raises(InvalidReferenceError):
        TargetName(endpoint, prefix)


def test_a_prefix_leaves_room_for_names() -> None:
    with pytest.raises(InvalidReferenceError, match="longer than half"):
        TargetName("r.io", "a" * 128)


def test_hosts_are_compared_in_one_form() -> None:
    assert normalise_host("Index.Docker.io") == "docker.io"
    assert normalise_host("[0:0::1]:05000") == "[::1]:5000"
    with pytest.raises(InvalidReferenceError, match="registry:443"):
        normalise_host("registry")


@settings(deadline=None)
@given(st.none() | tags, digests)
def test_a_pinned_tag_belongs_to_its_digest(tag: str | None, digest: str) -> None:
    pinned = pinned_tag(tag, digest)
    assert ImageRef.parse(f"nginx:{pinned}").tag == pinned
    assert pinned.endswith("-" + digest.split(":")[1][:12])
    assert pinned.startswith((tag or "digest")[:115])


def test_a_reference_by_digest_alone_is_pinned_under_digest() -> None:
    assert pinned_tag(None, SHA256) == "digest-0123456789ab"
    assert pinned_tag("1.0", SHA256) == "1.0-0123456789ab"
