"""The credentials of a pull secret that are used for an image, with the rules of the kubelet."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mirrors.images import ImageRef
from mirrors.kubernetes.objects.keyring import InvalidSecretError, matching, read

JSON, OLD = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(auths: dict[str, Any], kind: str = JSON) -> tuple[str, dict[str, str]]:
    if kind == JSON:
        return kind, {".dockerconfigjson": encoded(json.dumps({"auths": auths}))}
    return kind, {".dockercfg": encoded(json.dumps(auths))}


def users_for(image: str, *keys: str) -> list[str]:
    """Return the usernames that are tried. The username of each key equals the key."""
    entries, problems = read(*secret({key: {"username": key, "password": "p"} for key in keys}))
    assert problems == []
    return [credential.username for credential in matching(entries, ImageRef.parse(image))]


@pytest.mark.parametrize(
    ("image", "key", "matches"),
    [
        ("registry.example.com/app", "registry.example.com", True),
        ("registry.example.com/app", "https://registry.example.com", True),
        ("registry.example.com/app", "https://registry.example.com/v1/", True),
        ("registry.example.com/app", "https://registry.example.com/v2/", True),
        ("registry.example.com/app", "REGISTRY.example.com", True),
        ("registry.example.com/app", "other.example.com", False),
        ("registry.example.com/app", "example.com", False),
        ("registry.example.com/app", "*.example.com", True),
        ("registry.example.com/app", "reg*.example.com", True),
        ("registry.example.com/app", "*.com", False),
        ("a.registry.example.com/app", "*.example.com", False),
        ("a.registry.example.com/app", "*.*.example.com", True),
        ("registry.example.com:5000/app", "registry.example.com:5000", True),
        ("registry.example.com:5000/app", "registry.example.com", False),
        ("registry.example.com/app", "registry.example.com:5000", False),
        ("registry.example.com:5000/app", "*.example.com:5000", True),
        ("registry.example.com/team/app", "registry.example.com/team", True),
        ("registry.example.com/team/app", "registry.example.com/team/app", True),
        ("registry.example.com/team/app", "registry.example.com/other", False),
        ("registry.example.com/team/app", "*.example.com/team", True),
        ("nginx", "https://index.docker.io/v1/", True),
        ("nginx", "docker.io", True),
        ("nginx", "index.docker.io", True),
        ("nginx", "registry-1.docker.io", True),
        ("team/app", "docker.io/team", True),
        ("quay.io/nginx", "https://index.docker.io/v1/", False),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", True),
    ],
)
def test_entries_match_images_as_in_the_kubelet(image: str, key: str, matches: bool) -> None:
    assert users_for(image, key) == ([key] if matches else [])


def test_matching_entries_are_tried_in_order_of_specificity() -> None:
    keys = ["*.example.com", "registry.example.com", "registry.example.com/team", "registry.example.com/team/app"]
    assert users_for("registry.example.com/team/app:1", *keys) == [*reversed(keys[1:]), keys[0]]


@pytest.mark.parametrize("kind", [JSON, OLD])
def test_both_secret_types_contain_credentials(kind: str) -> None:
    auths = {
        "quay.io": {"auth": encoded("robot:pass:word")},
        "ghcr.io": {"username": "me", "password": "token", "email": "x"},
    }
    entries, problems = read(*secret(auths, kind))
    assert problems == []
    found = {entry.key: (entry.credential.username, entry.credential.password) for entry in entries}
    assert found == {"quay.io": ("robot", "pass:word"), "ghcr.io": ("me", "token")}


@pytest.mark.parametrize(
    "auth", ["cm9ib3Q6cA", "cm9i\nb3Q6\ncA==\n", "cm9ib3Q6cA=="], ids=["bare", "wrapped", "padded"]
)
def test_base64_is_decoded_with_or_without_padding_and_line_breaks(auth: str) -> None:
    (entry,), problems = read(*secret({"quay.io": {"auth": auth}}))
    assert (entry.credential.username, entry.credential.password, problems) == ("robot", "p", [])


def test_credentials_in_front_of_the_host_are_ignored_and_never_reported() -> None:
    auths = {"https://robot:hidden@quay.io": {"auth": encoded("a:b")}, "https://robot:hidden@ghcr.io": {}}
    (entry,), (problem,) = read(*secret(auths))
    assert entry.key == "quay.io"
    assert "ghcr.io" in problem and "hidden" not in problem


def test_invalid_entries_are_reported_and_the_others_are_read() -> None:
    auths = {
        "quay.io": {"auth": encoded("robot:good")},
        "one.example.com": {"auth": "no base64!"},
        "two.example.com": {"auth": encoded("no colon")},
        "three.example.com": "text",
        "four.example.com": {"identitytoken": "x"},
        "https://[": {"auth": encoded("a:b")},
        "five.example.com": {"username": "\ud800", "password": "p"},
    }
    entries, problems = read(*secret(auths))
    assert [entry.key for entry in entries] == ["quay.io"]
    assert len(problems) == 6
    assert all(name in " ".join(problems) for name in ("one.example.com", "two.example.com", "three", "four"))


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("Opaque", {"a": "b"}, "type Opaque"),
        ("", None, "type Opaque"),
        (JSON, None, "no key .dockerconfigjson"),
        (JSON, {".dockerconfigjson": ""}, "no key .dockerconfigjson"),
        (JSON, {".dockerconfigjson": encoded("{")}, "no JSON"),
        (JSON, {".dockerconfigjson": "!!"}, "no JSON"),
        (JSON, {".dockerconfigjson": encoded("[" * 100_000)}, "no JSON"),
        (JSON, {".dockerconfigjson": encoded('{"auths": []}')}, "no credentials"),
        (OLD, {".dockercfg": encoded('"text"')}, "no credentials"),
    ],
)
def test_an_invalid_pull_secret_is_rejected_with_the_reason(kind: str, data: dict[str, str] | None, why: str) -> None:
    with pytest.raises(InvalidSecretError, match=why):
        read(kind, data)
