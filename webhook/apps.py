"""Django application of the admission webhook."""

from __future__ import annotations

from django.apps import AppConfig


class WebhookConfig(AppConfig):
    name = "webhook"
