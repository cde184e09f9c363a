"""Input that names what is not there is refused: a misspelt field would else be as good as none."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StrictFields(serializers.Serializer[Any]):
    """Also beside a ModelSerializer. Fields that are only read may be sent back by a client that has read them."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            names = ", ".join(name for name, field in self.fields.items() if not field.read_only)
            words = f"Unknown field; allowed: {names}."
            raise serializers.ValidationError({str(name): [words] for name in unknown})
        return super().to_internal_value(data)


class NamedChoiceField(serializers.ChoiceField):
    """Its error lists the choices."""

    def fail(self, key: str, **kwargs: Any) -> Any:
        if key == "invalid_choice":
            raise serializers.ValidationError(f"It is one of: {', '.join(map(str, self.choices))}.", code=key)
        super().fail(key, **kwargs)
