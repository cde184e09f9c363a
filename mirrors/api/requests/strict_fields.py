"""Strict validation of bodies: unknown and read-only fields are rejected, and errors list what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.fields import empty

from mirrors.api.requests.allowed_values import BOOLEAN, list_of, no_row, one_of, text_up_to, whole_number

BODY: Final = "body"
"""The key of errors about the whole body, among the errors by field."""

STRING: Final = "Must be a string."

DRF_VALUE_CODES: Final = {
    "invalid",
    "invalid_choice",
    "min_value",
    "max_value",
    "max_string_length",
    "max_length",
    "not_a_list",
    "empty",
    "min_length",
    "does_not_exist",
    "incorrect_type",
}
"""Codes of DRF's errors whose messages do not list what is allowed."""


class StrictFields(serializers.Serializer[Any]):
    """A serializer, or mixin for a ModelSerializer, that rejects fields without effect. A client that has read a row
    can send its read-only fields back unchanged."""

    also_allowed: ClassVar[tuple[str, ...]] = ()
    """Fields of another form of the same body, which errors list as allowed."""

    def run_validation(self, data: Any = empty) -> Any:
        if data is not empty and not isinstance(data, Mapping):
            message = f"The body must be a JSON object with fields; allowed: {self._names()}."
            raise serializers.ValidationError({BODY: [message]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if unknown := set(data) - set(self.fields):
            message = f"Unknown field; allowed: {self._names()}."
            raise serializers.ValidationError({str(name): [message] for name in unknown})
        if changed := self._changed_read_only(data):
            message = f"Read-only field; allowed: {self._names()}."
            raise serializers.ValidationError({name: [message] for name in changed})
        # DRF would convert a number to text: {"image": 5} would request docker.io/library/5.
        if numbers := [name for name, field in self.fields.items() if _has_number(field, data.get(name))]:
            raise serializers.ValidationError({name: [STRING] for name in numbers})
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            assert isinstance(error.detail, dict)
            errors = {
                name: _error_messages(self.fields[name], data.get(name), texts) for name, texts in error.detail.items()
            }
            raise serializers.ValidationError(errors) from error

    def _changed_read_only(self, data: Mapping[str, Any]) -> list[str]:
        """Return the read-only fields that were sent with another value than a GET of the row returns. For a new row,
        these are all read-only fields that were sent."""
        sent = [name for name, field in self.fields.items() if field.read_only and name in data]
        shown = self.to_representation(self.instance) if sent and self.instance is not None else {}
        return [name for name in sent if name not in shown or shown[name] != data[name]]

    def _names(self) -> str:
        own = [name for name, field in self.fields.items() if not field.read_only]
        return ", ".join([*own, *self.also_allowed])


def is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _has_number(field: Any, value: object) -> bool:
    """Return whether a number was sent where the field expects text."""
    if isinstance(field, serializers.CharField):
        return is_number(value)
    has_text = type(field) is serializers.ListField and isinstance(field.child, serializers.CharField)
    return has_text and isinstance(value, list) and any(map(is_number, value))


def _error_messages(field: Any, value: Any, texts: Any) -> Any:
    """Return the errors of a field; errors of the items of a list name the index of the item."""
    if isinstance(texts, dict):
        return [
            f"Item {index}: {text}"
            for index, item in texts.items()
            for text in _error_messages(field.child, value[index], item)
        ]
    return [(_allowed(field, value, text.code) if text.code in DRF_VALUE_CODES else "") or text for text in texts]


def _allowed(field: Any, value: object, code: str) -> str:
    """Return what the field allows; empty if the field's own error already explains it, such as for an invalid name."""
    if isinstance(field, serializers.BooleanField):
        return BOOLEAN
    if isinstance(field, serializers.IntegerField):
        return whole_number(field.min_value, field.max_value)
    if isinstance(field, serializers.ChoiceField):
        return one_of(field.choices)
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        rows: Any = field.get_queryset()
        return no_row(rows.model, value)
    if isinstance(field, serializers.ListField) and code != "invalid":
        return list_of(field.min_length, field.max_length)
    if isinstance(field, serializers.CharField):
        if code == "max_length" and field.max_length:
            return text_up_to(field.max_length)
        return "" if isinstance(value, str) else STRING
    return ""
