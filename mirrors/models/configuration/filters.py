"""Filters: JMESPath queries that keep images from being mirrored and swapped."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, Q, Value, When

from mirrors.filters import InvalidFilterError, compile_filter
from mirrors.filters.error_positions import message_with_caret
from mirrors.models.base.cluster_column import cluster_field
from mirrors.models.base.revisions import RevisionedModel, RevisionedQuerySet
from mirrors.models.configuration.registries import ManagedBy
from mirrors.vocabulary.clusters import ALL_CLUSTERS


class FilterQuerySet(RevisionedQuerySet["Filter"]):
    def active(self) -> FilterQuerySet:
        """Enabled filters in the order of their evaluation: those of the configuration file first, then by position."""
        file_first = Case(When(managed_by=ManagedBy.CONFIG, then=Value(0)), default=Value(1))
        return self.filter(enabled=True).order_by(file_first, "position", "id")


def validate_jmespath(expression: str) -> None:
    try:
        compile_filter("filter", expression)
    except InvalidFilterError as error:
        raise ValidationError(message_with_caret(expression, error)) from error


def validate_name(name: str) -> None:
    """Refuse names like those of the configuration file's filters, which are named after their position in the file:
    decisions are counted by the name of the filter."""
    if name.startswith("source.filters["):
        raise ValidationError("Names like this are reserved for filters of the configuration file: choose another one.")


class Filter(RevisionedModel):
    """An expression on ``{obj, container}``. An image for which the expression is true is excluded."""

    name = models.CharField(max_length=200, validators=[validate_name])
    jmespath = models.TextField(max_length=8192, verbose_name="JMESPath", validators=[validate_jmespath])
    position = models.IntegerField(
        default=0,
        help_text="Filters with lower positions are evaluated first.",
        # The range of an integer in Postgres, so that rows fit into each kind of database.
        validators=[MinValueValidator(-(2**31)), MaxValueValidator(2**31 - 1)],
    )
    enabled = models.BooleanField(default=True)
    managed_by = models.CharField(max_length=10, choices=ManagedBy, default=ManagedBy.OPERATOR, editable=False)
    cluster = cluster_field(
        default=ALL_CLUSTERS, help_text="Name of the cluster that the filter applies to; empty: all clusters."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = FilterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["managed_by", "cluster", "name"],
                name="filter_of_cluster_unique",
                violation_error_message="A filter with this name already exists: choose another one.",
            ),
            models.CheckConstraint(condition=Q(managed_by__in=ManagedBy.values), name="filter_managed_by_known"),
        ]

    def __str__(self) -> str:
        return self.name
