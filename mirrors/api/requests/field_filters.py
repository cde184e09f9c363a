"""Filters of lists by field. An error about a value lists the allowed values."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError as FormError
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField  # type: ignore[import-untyped]
from django_filters.rest_framework import (  # type: ignore[import-untyped]
    BooleanFilter,
    DjangoFilterBackend,
    FilterSet,
)
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from mirrors.api.requests.allowed_values import BOOLEAN, TIME, no_row, one_of, whole_number

DJANGO_VALUE_CODES = {"invalid", "invalid_choice", "invalid_pk_value"}
"""Codes of Django's errors for values of the wrong type. Messages of other errors, such as for text that is too long,
already name the limit."""


class AllowedValues(DjangoFilterBackend):  # type: ignore[misc]
    """Rejects values that a filter does not accept, because ignoring such a value would select all rows."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if errors := _invalid_booleans(filterset) | _invalid_values(filterset):
            raise ValidationError(errors)
        rows: QuerySet[Any] = filterset.qs
        return rows


def _invalid_booleans(filterset: FilterSet) -> dict[str, list[str]]:
    """Return errors for invalid booleans, because the form field would treat any other text as no value."""
    names = [name for name, field_filter in filterset.filters.items() if isinstance(field_filter, BooleanFilter)]
    return {name: [BOOLEAN] for name in names if filterset.data.get(name, "").lower() not in ("true", "false", "")}


def _invalid_values(filterset: FilterSet) -> dict[str, list[str]]:
    errors_by_field = filterset.form.errors.as_data()
    return {
        name: [
            text for error in errors for text in _messages(filterset.form.fields[name], filterset.data.get(name), error)
        ]
        for name, errors in errors_by_field.items()
    }


def _messages(field: forms.Field, value: object, error: FormError) -> list[str]:
    return [_allowed(field, value)] if error.code in DJANGO_VALUE_CODES else list(error.messages)


def _allowed(field: Any, value: object) -> str:
    if isinstance(field, forms.ModelChoiceField):
        rows: Any = field.queryset
        return no_row(rows.model, value)
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        return one_of(key for key, _ in choices)
    return TIME if isinstance(field, IsoDateTimeField) else whole_number()
