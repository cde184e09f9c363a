"""Input that names what is not there is refused: a misspelt field would else be as good as none."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            words = f"There is no such field here; there are: {', '.join(self.fields)}."
            raise serializers.ValidationError({str(name): [words] for name in unknown})
        return super().to_internal_value(data)


class NamedChoiceField(serializers.ChoiceField):
    """Tells which choices there are."""

    def fail(self, key: str, **kwargs: Any) -> Any:
        if key == "invalid_choice":
            raise serializers.ValidationError(f"It is one of: {', '.join(map(str, self.choices))}.", code=key)
        super().fail(key, **kwargs)
