"""A filter whose result is not true or false is reported before it is skipped for every pod."""

from __future__ import annotations

import pytest

from mirrors.filters.non_boolean_results import result_warning


@pytest.mark.parametrize(
    "expression",
    [
        "obj.metadata.namespace",
        "container.image",
        "obj.spec.hostNetwork",
        "obj.spec.containers[0].image",
        "obj.spec.containers[?image == 'a']",
        "obj.spec.containers[].image",
        "[obj, container]",
        "length(obj.spec.containers)",
        "'a'",
        "`3`",
        "obj.metadata.namespace == 'a' || 'b'",
        "obj.metadata.labels.a && container.image == 'b'",
        "obj.spec.containers | length(@)",
    ],
)
def test_a_non_boolean_result_gives_a_warning(expression: str) -> None:
    assert "in place of true or false" in result_warning(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "`true`",
        "obj.metadata.namespace == 'a'",
        "!(obj.metadata.labels.a)",
        "contains(container.image, 'a') && starts_with(container.name, 'b') || `false`",
        "obj.spec.containers[].image | contains(@, 'a')",
        "length(obj.spec.containers) > `1`",
        "not_null(obj.spec.hostNetwork, `false`)",
        "(obj.metadata.namespace | @) == 'a'",
        "broken ==",
    ],
)
def test_a_boolean_result_gives_no_warning(expression: str) -> None:
    assert result_warning(expression) == ""
