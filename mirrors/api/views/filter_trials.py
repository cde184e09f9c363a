"""Trials of filters on a pod, and on the sampled admissions of the last 24 hours. Nothing is saved."""

from __future__ import annotations

import dataclasses
from typing import Any

from rest_framework.exceptions import ValidationError

from mirrors.filters import InvalidFilterError, compile_filter
from mirrors.filters.error_positions import message_with_caret
from mirrors.filters.trial import try_filters
from mirrors.selectors.configuration import filter_impact


def try_filter(expression: str, pod: object) -> list[dict[str, Any]]:
    """Return one result per image. Raise ValidationError if the expression does not compile or the pod is invalid."""
    try:
        compiled = compile_filter("test", expression)
    except InvalidFilterError as error:
        raise _invalid(expression, error) from error
    if not isinstance(pod, dict):
        raise ValidationError({"pod": ["Not a valid pod: it must be an object."]})
    return [
        {
            "kind": trial.kind,
            "container": trial.container,
            "image": trial.image,
            "matches": trial.results[0].matches,
            "error": trial.results[0].error,
        }
        for trial in try_filters(pod, "", [compiled])
    ]


def impact_of_filter(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the effect that saving the filter would have. Raise ValidationError if the expression is invalid."""
    try:
        plan = filter_impact.plan(
            expression=fields["jmespath"], row=fields["filter"], position=fields["position"], cluster=fields["cluster"]
        )
    except InvalidFilterError as error:
        raise _invalid(fields["jmespath"], error) from error
    return dataclasses.asdict(filter_impact.impact(plan))


def _invalid(expression: str, error: InvalidFilterError) -> ValidationError:
    return ValidationError({"jmespath": [message_with_caret(expression, error)]})
