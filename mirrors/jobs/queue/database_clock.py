"""Times by the database's clock, as those of pods differ."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now


def from_now(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """A point in time so many seconds ahead (or, when negative, ago), as an expression for filters and updates."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
