"""A warning is given for a path that no Pod can have, and none for a path that a Pod can have."""

from __future__ import annotations

import pytest

from mirrors.filters import InvalidFilterError, compile_filter
from mirrors.filters.known_fields import unknown_fields_warning


@pytest.mark.parametrize(
    ("expression", "warning"),
    [
        ("obj.metadata.namspace == 'a'", "namspace is not a field of a Pod's metadata; did you mean namespace?"),
        ("obj.namespace == 'a'", "namespace is not a field of a Pod"),
        ("obj.meta.name == 'a'", "meta is not a field of a Pod; did you mean metadata?"),
        ("pod.metadata.name == 'a'", "there is no field pod: filters read obj, the Pod, and container"),
        ("image == 'a'", "there is no field image: filters read obj, the Pod, and container"),
        ("contains(container.images, 'a')", "images is not a field of a container; did you mean image?"),
        ("obj.spec.container[0].image == 'a'", "container is not a field of a Pod's spec; did you mean containers?"),
        ("obj.spec.containers[?img == 'a'] | length(@) > `0`", "img is not a field of a container"),
        ("obj.spec.containers[?name == 'a'].img | [0] == 'a'", "img is not a field of a container"),
        ("obj.spec.initContainers[].img | contains(@, 'a')", "img is not a field of a container"),
        ("contains(obj.spec.containers[*].img, 'a')", "img is not a field of a container"),
        ("(obj.spec.containers | [0]).img == 'a'", "img is not a field of a container"),
        ("obj.spec.containers[0:2].img | contains(@, 'a')", "img is not a field of a container"),
        ("obj.spec.containers.image == 'a'", "image is read from a list, which gives null: put [] or [0] before"),
        ("!(obj.metadata.lables.a)", "lables is not a field of a Pod's metadata; did you mean labels?"),
        ("container.nam == 'a' || obj.metadata.nam == 'a'", "nam is not a field of a container; did you mean name?"),
        ("obj.metadata.[nam, name] | contains(@, 'a')", "nam is not a field of a Pod's metadata"),
        ("obj.metadata.{a: nam} | contains(values(@), 'a')", "nam is not a field of a Pod's metadata"),
    ],
)
def test_a_field_that_no_pod_can_have_gives_a_warning(expression: str, warning: str) -> None:
    compile_filter("a", expression)
    assert unknown_fields_warning(expression).startswith(warning)


@pytest.mark.parametrize(
    "expression",
    [
        "obj.metadata.labels.any == 'a'",
        "obj.metadata.annotations.\"a/b\".c.d == 'a'",
        "obj.metadata.ownerReferences[?kind == 'Job'] | length(@) > `0`",
        "obj.spec.tolerations[0].anything == 'a'",
        "obj.status.phase == 'a'",
        "obj.spec.*.whatever | contains(@, 'a')",
        "sort_by(obj.spec.containers, &image)[0].image == 'a'",
        "obj.spec.containers[].env[].name | contains(@, 'a')",
        "[obj, container] | [0].metadata.any == 'a'",
        "obj.spec.containers[].image | [0] | starts_with(@, 'a')",
        "length(obj.spec.containers) > `1`",
        "@.obj.metadata.name == 'a'",
        "`true`",
        "broken ==",
    ],
)
def test_a_field_that_a_pod_can_have_gives_no_warning(expression: str) -> None:
    assert unknown_fields_warning(expression) == ""


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("obj.metadata.name = 'a'", "; write == to compare"),
        ("obj.metadata.name == 'a' and container.name == 'b'", "; write && for and"),
        ("obj.metadata.name == 'a' & container.name == 'b'", "; write && for and"),
        ("obj.metadata.name == 'a' or container.name == 'b'", "; write || for or"),
        ("not obj.metadata.name", "; write ! for not"),
        ("`true` && not obj.metadata.name", "; write ! for not"),
        ("obj.metadata.name in ['a']", "; write contains(list, value) for in"),
        ("obj.spec.priority > 3", "; write numbers in backticks, such as `3`"),
        ("obj.metadata.labels.app.kubernetes.io/name == 'a'", "; put double quotes around a name"),
    ],
)
def test_errors_for_syntax_of_other_languages_suggest_the_right_syntax(expression: str, hint: str) -> None:
    with pytest.raises(InvalidFilterError) as refused:
        compile_filter("a", expression)
    assert hint in str(refused.value)
