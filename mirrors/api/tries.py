"""Trying a filter on a pod: what it answers for each container, without saving anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ValidationError

from mirrors.filters import FilterEvaluationError, InvalidFilterError, ReviewBudget, ReviewBudgetError, compile_filter

MOST_CONTAINERS = 100


def try_filter(expression: str, pod: object) -> list[dict[str, Any]]:
    """One answer a container; raises ValidationError for a query that does not compile, and for what is no pod."""
    try:
        compiled = compile_filter("test", expression)
    except InvalidFilterError as error:
        raise ValidationError({"jmespath": [str(error)]}) from error
    if not isinstance(pod, dict):
        raise ValidationError({"pod": ["This is no pod: it must be an object."]})
    budget = ReviewBudget()
    answers = []
    for container in _containers(pod):
        answer: dict[str, Any] = {"container": str(container.get("name", "")), "image": str(container.get("image", ""))}
        try:
            matches: bool | None = compiled.matches({"obj": pod, "container": container}, budget)
            answers.append({**answer, "matches": matches, "error": ""})
        except (FilterEvaluationError, ReviewBudgetError) as error:
            answers.append({**answer, "matches": None, "error": str(error)})
    return answers


def _containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    spec = pod.get("spec")
    lists = [spec.get(key) for key in ("initContainers", "containers")] if isinstance(spec, dict) else []
    found = [item for items in lists if isinstance(items, list) for item in items if isinstance(item, dict)]
    yield from found[:MOST_CONTAINERS]
