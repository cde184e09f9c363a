"""Create one row of any model with all fields filled, and the rows it refers to, for tests that request all lists."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from django.db import models
from django.utils import timezone

SIZE: Final = 270_336
"""264.0 KiB."""

WORDS: Final[dict[str, Any]] = {
    "cluster": "default",
    "decisions": [
        {"container": name, "image": f"docker.io/team/{name}:1", "decision": "keep", "reason": reason, "would": None}
        for name, reason in (("web", "absent"), ("side", "excluded"))
    ],
    "differences": [{"setting": "encryption", "found": "AES256", "wanted": "KMS"}],
    "endpoint": "mirror.example.com",
    "image": "mirror.example.com/team/image:1",
    "image_names": "docker.io/team/web:1 docker.io/team/side:1",
    "namespaces": ["ns02", "ns03"],
    "nodes": 2,
    "role": "worker",
    "source": "docker.io/team/source:1",
}
"""Values by field name, for fields where the generated value would not be valid."""

OF_RUNNING_JOBS: Final = ("lease_token", "lease_expires_at")


def example(model: type[models.Model], **given: Any) -> Any:
    """Create a row. A text is the name of its field followed by ``-text``, and a choice is the first one. A time is 46
    minutes ago, or in ten minutes if the field's name contains ``until`` or ``expir``."""
    fields = [field for field in model._meta.concrete_fields if field.name not in (*given, *OF_RUNNING_JOBS)]
    values = {field.name: _value(field) for field in fields if not isinstance(field, models.AutoField)}
    return model._base_manager.create(**values, **given)


def _value(field: Any) -> Any:
    if field.is_relation:
        related: Any = field.related_model
        # A reference to the same model, or to a model that refers back, uses the first row of that model.
        is_needed = not field.null and not field.has_default()
        return related._base_manager.first() or (example(related) if is_needed else None)
    choices = [key for key, _ in field.flatchoices if key != ""]
    if field.name in WORDS and not choices:
        words = WORDS[field.name]
        return words if isinstance(words, list) == isinstance(field, models.JSONField) else _of_type(field)
    return choices[0] if choices else _of_type(field)


def _of_type(field: Any) -> Any:
    if isinstance(field, models.DateTimeField):
        is_next = any(word in field.name for word in ("until", "expir"))
        return timezone.now() + timedelta(minutes=10 if is_next else -46)
    if isinstance(field, models.BooleanField):
        return True
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.IntegerField):
        return SIZE if "bytes" in field.name else 7
    if isinstance(field, models.FloatField):
        return 1.5
    if isinstance(field, models.JSONField):
        return field.get_default()
    if isinstance(field, models.GenericIPAddressField):
        return "192.0.2.7"
    return f"{field.name.replace('_', '-')}-text"[: field.max_length]
