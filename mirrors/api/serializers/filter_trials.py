"""Trials of filters on a pod and on recent admissions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from mirrors.api.requests.strict_fields import StrictFields
from mirrors.models import Filter
from mirrors.selectors.clusters.clusters import qualified_namespace
from mirrors.vocabulary.clusters import CLUSTER_LENGTH


class FilterTestSerializer(StrictFields):
    """An expression, and the pod to evaluate it on."""

    jmespath = serializers.CharField(max_length=8192)
    pod = serializers.JSONField(help_text="The pod, as from `kubectl get -o json`.")


class FilterAnswerSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="container, init container, ephemeral container or image volume.")
    container = serializers.CharField(help_text="Name of the container or volume.")
    image = serializers.CharField()
    matches = serializers.BooleanField(allow_null=True, help_text="null if the evaluation failed; see `error`.")
    error = serializers.CharField(allow_blank=True)


class FilterImpactSerializer(StrictFields):
    """A filter as it would be saved: a new filter, or an existing filter with a new expression."""

    jmespath = serializers.CharField(max_length=8192)
    filter = serializers.PrimaryKeyRelatedField(
        queryset=Filter.objects.all(),
        default=None,
        allow_null=True,
        help_text="Existing filter to change; null for a new one.",
    )
    position = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=-(2**31),
        max_value=2**31 - 1,
        help_text="Default: the filter's own position, or 0 for a new filter.",
    )
    cluster = serializers.CharField(
        default=None,
        allow_null=True,
        allow_blank=True,
        max_length=CLUSTER_LENGTH,
        help_text="Cluster that the filter would apply to; empty: all. Default: the filter's own, or all for a new "
        "filter.",
    )


class ChangeSerializer(serializers.Serializer[Any]):
    sample = serializers.IntegerField(help_text="ID of the admission.")
    namespace = serializers.SerializerMethodField(help_text="CLUSTER/NAMESPACE for a namespace of another cluster.")
    pod = serializers.CharField()
    container = serializers.CharField()
    image = serializers.CharField()
    by = serializers.CharField(help_text="The filter that would exclude the image, or that excludes it now.")

    def get_namespace(self, change: Mapping[str, Any]) -> str:
        return qualified_namespace(change["cluster"], change["namespace"])


class ImpactSerializer(serializers.Serializer[Any]):
    """The changes for the pods sampled in the last 24 hours. For a filter of one cluster, only pods of that cluster are
    checked. Each list has at most 200 images."""

    pods = serializers.IntegerField(help_text="Number of pods checked; at most the newest 500.")
    images = serializers.IntegerField()
    left_out = ChangeSerializer(many=True, help_text="Images that would be newly excluded.")
    left_out_count = serializers.IntegerField()
    mirrored = ChangeSerializer(many=True, help_text="Images that would no longer be excluded.")
    mirrored_count = serializers.IntegerField()
    failures = serializers.IntegerField(help_text="Images for which the expression failed.")
    failure = serializers.CharField(allow_blank=True, help_text="The first failure.")
    is_cut = serializers.BooleanField(help_text="The time or step limit was reached before all pods were checked.")
