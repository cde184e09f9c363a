"""The base class of the serializers of filters and registries, which the configuration file can declare."""

from __future__ import annotations

import copy
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework import serializers

from mirrors.api.requests.strict_fields import StrictFields
from mirrors.models import Filter, Registry
from mirrors.selectors.clusters.clusters import unknown_clusters_warning
from mirrors.selectors.queries.known_clusters import known_clusters


class CheckedAsModel(StrictFields):
    """A serializer whose model validates the row, including uniqueness. DRF's own ``validators`` would check values as
    they were sent, before the model normalises host names."""

    model: type[Filter] | type[Registry]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        row: Any = copy.copy(self.instance) if isinstance(self.instance, self.model) else self.model()
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            return {**attrs, **self.checked(row, attrs)}
        except ValidationError as error:
            messages = error.message_dict
            if general := messages.pop(NON_FIELD_ERRORS, None):
                messages[self.unique_field] = general
            raise serializers.ValidationError(messages) from error

    def cluster_warning(self, row: Filter | Registry) -> str:
        """Return ``unknown_clusters_warning`` of the row. A list reads the known clusters once."""
        return unknown_clusters_warning(row, self._known_clusters)

    def _known_clusters(self) -> list[str]:
        if "known_clusters" not in self.context:
            self.context["known_clusters"] = known_clusters()
        return self.context["known_clusters"]  # type: ignore[no-any-return]

    unique_field = "name"

    def checked(self, row: Any, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate the row, and return values to store in place of those sent. Raise Django's ValidationError."""
        row.clean()
        row.validate_constraints()
        return {}
