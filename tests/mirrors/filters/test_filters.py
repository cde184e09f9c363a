"""Filters: the results that users of the earlier tool rely on, and the limits of what an evaluation can cost."""

from __future__ import annotations

import sys
import time
from typing import Any

import jmespath
import jmespath.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrors.filters import (
    FILTER_BUDGET,
    MAX_NESTING,
    REVIEW_BUDGET,
    FilterEvaluationError,
    InvalidFilterError,
    ReviewBudget,
    ReviewBudgetError,
    compile_filter,
)

ECR = "contains(container.image, '.dkr.ecr.') && contains(container.image, '.amazonaws.com')"


def review(namespace: str = "default", image: str = "nginx:1.25", **metadata: Any) -> dict[str, object]:
    container = {"name": "app", "image": image}
    return {
        "obj": {"metadata": {"namespace": namespace, **metadata}, "spec": {"containers": [container]}},
        "container": container,
    }


def matches(expression: str, data: dict[str, object]) -> bool:
    return compile_filter("test", expression).matches(data, ReviewBudget())


@pytest.mark.parametrize(
    ("expression", "data", "answer"),
    [
        ("obj.metadata.namespace == 'kube-system'", review("kube-system"), True),
        ("obj.metadata.namespace == 'kube-system'", review("default"), False),
        ("obj.metadata.namespace != 'default'", review("kube-system"), True),
        ("obj.metadata.namespace != 'default'", review("default"), False),
        ("obj.metadata.namespace != 'playground'", review("playground"), False),
        ("ends_with(obj.metadata.namespace,'-dev')", review("shop-dev"), True),
        ("ends_with(obj.metadata.namespace,'-dev')", review("dev-shop"), False),
        (ECR, review(image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/app"), True),
        (ECR, review(image="ghcr.io/amazonaws.com/app"), False),
        ("contains(container.image, 'docker.io')", review(image="docker.io/library/nginx"), True),
        ("container.name == 'app'", review(), True),
        ("obj.metadata.labels.skip == 'true'", review(labels={"skip": "true"}), True),
        ("obj.metadata.labels.skip == 'true'", review(), False),
        (
            "obj.metadata.labels.\"app.kubernetes.io/name\" == 'db'",
            review(labels={"app.kubernetes.io/name": "db"}),
            True,
        ),
        ("length(obj.spec.containers[?ends_with(image, ':latest')]) > `0`", review(image="a:latest"), True),
        ("contains(['kube-system', 'istio-system'], obj.metadata.namespace)", review("istio-system"), True),
        ("!starts_with(container.image, 'quay.io/')", review(), True),
        ("obj.metadata.generation >= `2`", review(generation=3), True),
        ("`true`", {}, True),
        ("a == b", {"a": [1, {"x": "y"}], "b": [1, {"x": "y"}]}, True),
        ("a == b", {"a": [1, 2], "b": [1, 3]}, False),
        ("a == b", {"a": 0, "b": False}, False),
    ],
)
def test_filters_return_the_expected_result(expression: str, data: dict[str, object], answer: bool) -> None:
    assert matches(expression, data) is answer


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "nginx:1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "expression",
    [
        "a == b",
        "a != c",
        "a < b",
        "a.b >= c",
        "a[] == b[]",
        "length(a[]) > `1`",
        "a[?b == c] == b",
        "a[*].b[] | length(@) == `2`",
        "a.*.b == c",
        "!a && b || c",
        "contains(a, b)",
        "sort(a) == b",
        "max_by(a, &b) == c",
        "map(&b, a) == c",
        "{x: a, y: b}.x == c",
        "merge(a, b) == c",
        "to_string(a) == to_string(b)",
        "a[1:] == b[:-1]",
    ],
)
@settings(deadline=None)
@given(data=st.fixed_dictionaries({}, optional={"a": json_values, "b": json_values, "c": json_values}))
def test_boolean_results_equal_those_of_jmespath_and_others_are_errors(
    expression: str, data: dict[str, object]
) -> None:
    try:
        expected = jmespath.search(expression, data)
    except (ValueError, TypeError):
        expected = None
    if isinstance(expected, bool):
        assert matches(expression, data) is expected
    else:
        with pytest.raises(FilterEvaluationError):
            matches(expression, data)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "obj.metadata.namespace == kube-system",
            r"'-' at character 31, after '.*== kube'; put single quotes around text",
        ),
        ("obj.metadata.namespace = 'x'", r"'=' at character 24, after 'obj.metadata.namespace '; write == to compare$"),
        (
            "contains(container.image, 'x'",
            "^the expression is incomplete: a value or a closing bracket is missing ",
        ),
        ("obj.metadata.namespace 'x'", "at character 24"),
        ("container.(", r"^Unexpected token: \( at character 11, after 'container.'$"),
        ("container.", r"^the expression is incomplete: a value or a closing bracket is missing after 'container.'$"),
        ("", "empty"),
        ("   ", "empty"),
        ("end_with(obj.metadata.namespace, 'x')", r"no function end_with\(\); did you mean ends_with\(\)\?"),
        ("zzz(@)", r"no function zzz\(\)$"),
        ("a[?contains(b)]", r"contains\(\) takes 2 arguments, not 1"),
        ("merge()", "at least 1"),
        ("'" + "a" * 9000 + "'", "9002 characters"),
    ],
)
def test_an_invalid_filter_is_rejected_with_a_one_line_message(expression: str, message: str) -> None:
    with pytest.raises(InvalidFilterError, match=message) as caught:
        compile_filter("test", expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "expression", ["(" * 4000 + "a", "[" * 4000, "!" * 4000 + "a", "a" + "||a" * 500, "a" + ".*.b[]" * 500]
)
def test_deep_nesting_is_rejected_at_compilation(expression: str) -> None:
    with pytest.raises(InvalidFilterError, match="nested more than 150 levels"):
        compile_filter("test", expression)


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@settings(deadline=None)
@given(st.text("ab.[]*|&!=<>(){}:,?@'`\"01- ", max_size=30) | st.text(max_size=30))
def test_any_text_compiles_or_is_rejected(expression: str) -> None:
    try:
        compiled = compile_filter("test", expression)
    except InvalidFilterError:
        return
    try:
        compiled.matches(review(), ReviewBudget())
    except FilterEvaluationError:
        return


@pytest.mark.parametrize("inner", ["{0} || `false`", "map(&({0}), [@])", "!({0})", "[{0}]"])
def test_a_deeply_nested_filter_runs_on_a_partly_used_stack(inner: str) -> None:
    expression = "`false`"
    for _ in range(MAX_NESTING // 3 - 2):
        expression = inner.format(expression)
    compiled = compile_filter("test", f"to_string({expression}) == 'x'")

    def at_depth(frames: int) -> bool:
        return at_depth(frames - 1) if frames else compiled.matches(review(), ReviewBudget())

    assert at_depth(sys.getrecursionlimit() // 3) is False


def nested(levels: int) -> object:
    value: object = "leaf"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("expression", ["a == b", "contains(a, b)", "to_string(a) == 'x'", "a[] == b"])
def test_deeply_nested_data_raises_at_most_a_filter_evaluation_error(expression: str) -> None:
    data = {"a": nested(5000), "b": nested(5000)}
    try:
        matches(expression, data)
    except FilterEvaluationError as error:
        assert "test" in str(error)


def test_comparing_deeply_nested_data_returns_true_or_reports_the_nesting() -> None:
    """The depth that is too deep differs between versions of Python."""
    try:
        assert matches("a == b", {"a": nested(5000), "b": nested(5000)}) is True
    except FilterEvaluationError as error:
        assert "nested too deeply" in str(error)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("obj", "an object"),
        ("obj.nothing", "null"),
        ("container.image", "a string"),
        ("[@]", "a list"),
        ("`1`", "a number"),
    ],
)
def test_a_non_boolean_result_is_an_error(expression: str, kind: str) -> None:
    with pytest.raises(FilterEvaluationError, match=f"the result of test is {kind}, not true or false"):
        matches(expression, review())


def test_an_error_contains_the_filter_name_but_no_value_of_the_pod() -> None:
    with pytest.raises(FilterEvaluationError) as caught:
        matches("contains(obj.metadata.password, 'x')", review(password={"is": "hunter2"}))
    assert str(caught.value) == "test: contains() got object where it expects array or string"
    assert "hunter2" not in repr(caught.value.__cause__)


BIG = {
    "numbers": list(range(30_000, 0, -1)),
    "words": [f"{'w' * 40}{n}" for n in range(5_000)],
    "text": "ab" * 600_000,
    "map": {f"key{n}": {"k": n} for n in range(10_000)},
    "lists": [[n] * 500 for n in range(500)],
}


@pytest.mark.parametrize(
    "expression",
    [
        "[@]" + "[].[@,@]" * 20,
        "[@]" + " | [].[@,@]" * 20,
        "[@]" + " | [@,@]" * 20 + " | to_string(@)",
        "[@]" + " | [@,@]" * 20 + " | @ == @",
        "[@]" + " | [@,@]" * 40 + " | contains(@, @)",
        "'ab'" + " | join('', [@,@])" * 40,
        "join(text, words)",
        "numbers" + " | [@,@][]" * 20,
        "[" + "numbers," * 1000 + "@][]",
        "sort_by(lists[][], &to_string(@))",
        "lists[].[@,@,@,@,@,@,@,@,@,@][].[@,@,@,@,@,@,@,@,@,@][]",
        "map(&to_string(@), numbers)",
        "values(map)[?contains(keys(@), 'x')]",
        "numbers[?contains(`[1,2]`, @)]",
        "words[?contains(to_string(@), 'x')] | [].contains(@, 'w')",
        "reverse(text) | reverse(@) | reverse(@) | contains(@, 'ba')",
        "sort(numbers) | sort(@) | sort(@)",
        "max(words) == min(words) || sort(words) == sort(words)",
        "merge(map, map, map, map) == map",
    ],
)
def test_a_hostile_expression_is_stopped_by_its_budget(expression: str) -> None:
    budget = ReviewBudget()
    compiled = compile_filter("hostile", expression)
    started = time.process_time()
    with pytest.raises(FilterEvaluationError, match=f"hostile took more than {FILTER_BUDGET} steps"):
        compiled.matches(BIG, budget)
    # About 14 ms are expected. Without the budget the evaluation takes minutes, much more than on a busy machine.
    assert time.process_time() - started < 2
    assert budget.remaining <= REVIEW_BUDGET - FILTER_BUDGET


def test_the_filters_of_a_review_share_a_budget() -> None:
    hostile = compile_filter("hostile", "[@]" + "[].[@,@]" * 20)
    harmless = compile_filter("harmless", "container.name == 'app'")
    budget = ReviewBudget()
    for _ in range(REVIEW_BUDGET // FILTER_BUDGET):
        with pytest.raises(FilterEvaluationError):
            hostile.matches(review(), budget)
    assert budget.remaining == 0
    with pytest.raises(ReviewBudgetError, match="harmless: the filters"):
        harmless.matches(review(), budget)


def test_an_ordinary_evaluation_uses_few_steps_of_the_review_budget() -> None:
    budget = ReviewBudget()
    compile_filter("ns", "obj.metadata.namespace == 'kube-system'").matches(review(), budget)
    assert REVIEW_BUDGET - 10 <= budget.remaining < REVIEW_BUDGET


def test_a_filter_does_not_use_the_shared_parse_cache_of_jmespath() -> None:
    expression = "obj.metadata.namespace == 'spoiled'"
    compiled = compile_filter("test", expression)
    jmespath.compile(expression).parsed["value"] = "ne"
    try:
        assert compiled.matches(review("spoiled"), ReviewBudget())
        assert compile_filter("test", expression).matches(review("spoiled"), ReviewBudget())
    finally:
        jmespath.parser.Parser.purge()
