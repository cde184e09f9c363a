"""An app that makes each review fail with an unforeseen error."""

from __future__ import annotations

from typing import NoReturn

from django.apps import AppConfig


class Broken(AppConfig):
    name = "tests.webhook"
    label = "broken"

    def ready(self) -> None:
        from webhook.review import reviewer

        def fail(*args: object) -> NoReturn:
            raise RuntimeError("nobody foresaw this")

        reviewer.Reviewer.review = fail  # type: ignore[method-assign, assignment]
