"""Trying filters: on a pod, and on the admissions of the last day; nothing is saved."""

from __future__ import annotations

import dataclasses
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from mirrors.api.strict_fields import StrictFields
from mirrors.filters import InvalidFilterError, compile_filter
from mirrors.filters.places import pointed
from mirrors.filters.trial import try_on
from mirrors.models import Filter
from mirrors.selectors import filter_impact


class FilterTestSerializer(StrictFields):
    """A query, and the pod that it is tried on."""

    jmespath = serializers.CharField(max_length=8192)
    pod = serializers.JSONField(help_text="The pod, as `kubectl get -o json` shows it.")


class FilterAnswerSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="container, init container, ephemeral container or image volume.")
    container = serializers.CharField(help_text="Its name, or that of the volume.")
    image = serializers.CharField()
    matches = serializers.BooleanField(allow_null=True, help_text="null: it failed, see `error`.")
    error = serializers.CharField(allow_blank=True)


class FilterImpactSerializer(StrictFields):
    """A query as it would be saved: a new filter, or another text for one that is there."""

    jmespath = serializers.CharField(max_length=8192)
    filter = serializers.PrimaryKeyRelatedField(
        queryset=Filter.objects.all(), default=None, allow_null=True, help_text="The filter whose text this would be."
    )
    position = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=-(2**31),
        max_value=2**31 - 1,
        help_text="Its own by default; 0 for a new one.",
    )


class ChangeSerializer(serializers.Serializer[Any]):
    sample = serializers.IntegerField(help_text="The admission's id.")
    namespace = serializers.CharField()
    pod = serializers.CharField()
    container = serializers.CharField()
    image = serializers.CharField()
    by = serializers.CharField(help_text="The filter that would leave it alone, or does so now.")


class ImpactSerializer(serializers.Serializer[Any]):
    """What would change for the pods that were sampled in the last day; lists have 200 images at most."""

    pods = serializers.IntegerField(help_text="Pods looked at; the newest 500 at most.")
    images = serializers.IntegerField()
    left_out = ChangeSerializer(many=True, help_text="Would be left alone, and are not now.")
    left_out_count = serializers.IntegerField()
    mirrored = ChangeSerializer(many=True, help_text="Would no longer be left alone.")
    mirrored_count = serializers.IntegerField()
    failures = serializers.IntegerField(help_text="Images on which the query failed.")
    failure = serializers.CharField(allow_blank=True, help_text="The first failure.")
    is_cut = serializers.BooleanField(help_text="The time or the steps did not suffice for all pods.")


def try_filter(expression: str, pod: object) -> list[dict[str, Any]]:
    """One answer an image; raises ValidationError for a query that does not compile, and for what is no pod."""
    try:
        compiled = compile_filter("test", expression)
    except InvalidFilterError as error:
        raise _invalid(expression, error) from error
    if not isinstance(pod, dict):
        raise ValidationError({"pod": ["This is no pod: it must be an object."]})
    return [
        {
            "kind": trial.kind,
            "container": trial.container,
            "image": trial.image,
            "matches": trial.answers[0].matches,
            "error": trial.answers[0].error,
        }
        for trial in try_on(pod, "", [compiled])
    ]


def impact_of_filter(asked: dict[str, Any]) -> dict[str, Any]:
    """What saving it would change; raises ValidationError for a query that does not compile."""
    try:
        found = filter_impact.plan(expression=asked["jmespath"], row=asked["filter"], position=asked["position"])
    except InvalidFilterError as error:
        raise _invalid(asked["jmespath"], error) from error
    return dataclasses.asdict(filter_impact.impact(found))


def _invalid(expression: str, error: InvalidFilterError) -> ValidationError:
    return ValidationError({"jmespath": [pointed(expression, error)]})
