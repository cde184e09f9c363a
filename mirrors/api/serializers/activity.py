"""The record of actions that users ran."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import OperatorAction


class ActionSerializer(serializers.ModelSerializer[OperatorAction]):
    class Meta:
        model = OperatorAction
        fields = ("id", "actor", "token", "action", "subject", "details", "mapping", "job", "created_at")
