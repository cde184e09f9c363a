"""A warning is given for text in double quotes in a comparison, and none for quoted names of fields."""

from __future__ import annotations

import pytest

from mirrors.filters.quotes import quotes_warning


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ('obj.metadata.namespace == "kube-system"', '"kube-system"'),
        ('"kube-system" == obj.metadata.namespace', '"kube-system"'),
        ('obj.metadata.namespace != "shop"', '"shop"'),
        ('(obj.metadata.namespace == "a") || container.image == "b"', '"a", "b"'),
        ('!(container.name == "web")', '"web"'),
        ('contains(container.image, "docker.io")', '"docker.io"'),
        ('starts_with("docker.io", container.image)', '"docker.io"'),
        ("obj.spec.containers[?name == \"web\"] | length(@) > `0`", '"web"'),
        ('obj.spec.containers[?contains(image, "nginx")]', '"nginx"'),
        ('obj.metadata.labels."app.kubernetes.io/name" == "web"', '"web"'),
        ('obj.metadata.labels.tier=="x"&&`true`', '"x"'),
        ('obj.metadata.name > "b"', '"b"'),
    ],
)  # fmt: skip
def test_text_in_double_quotes_gives_a_warning(expression: str, named: str) -> None:
    assert quotes_warning(expression).startswith(f"{named} in double quotes")


@pytest.mark.parametrize(
    "expression",
    [
        "obj.metadata.namespace == 'kube-system'",
        "obj.metadata.labels.\"app.kubernetes.io/name\" == 'web'",
        "obj.metadata.annotations.\"a/b\" != `null`",
        "\"obj\".metadata.namespace == 'a'",
        "contains(\"container\".image, 'a')",
        "obj.spec.tolerations[?\"key\" == 'a']",
        "obj.spec.tolerations[?starts_with(\"key\", 'a')]",
        "'\"a\"' == container.image",
        "container.name == 'say \"a\"'",
        "obj.metadata.{\"a-b\": name} == container",
        "contains(keys(obj.metadata), 'labels')",
        'obj."metadata"."name" == container."name"',
        "broken ==",
        "'open",
    ],
)  # fmt: skip
def test_quoted_field_names_give_no_warning(expression: str) -> None:
    assert quotes_warning(expression) == ""
