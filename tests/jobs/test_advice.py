"""One next step for each error: the message's own, and else that of its class."""

from __future__ import annotations

import itertools

import pytest

from mirrors.advice import ADVICE, advice_for, next_step
from mirrors.images import ImageRef
from mirrors.jobs.refusals import Tried, refusal
from mirrors.models import ErrorClass
from mirrors.registries.credentials import Reference
from mirrors.registries.sources import SourceEntry

SOURCE = ImageRef.parse("registry.example.com/team/app:1")
ENTRIES = (
    None,
    SourceEntry("registry.example.com", origin="the registry ours in the admin"),
    SourceEntry("registry.example.com", reference=Reference("robot", file="x"), origin="source.registries[3]"),
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_refusal_says_what_to_do_and_where(entry: SourceEntry | None) -> None:
    for may_serve, asks, refused in itertools.product((True, False), (True, False), ("", "401")):
        error = refusal(
            SOURCE,
            ["shop"],
            Tried(),
            entry=entry,
            may_serve=may_serve,
            asks_for_credentials=asks,
            credentials_refused=refused,
        )
        assert next_step(error.error_class, str(error)) == "", str(error)
        assert SOURCE.registry in str(error)
        if entry is not None:
            assert entry.origin in str(error)
        if asks is False:
            assert "is not public" not in str(error), "nobody said so"


@pytest.mark.parametrize(
    "message",
    [
        "looking for quay.io/a:1: quay.io answered 401; check the credentials for this registry",
        "quay.io/a:1 is paused: resume its mapping, then retry this job.",
        "the certificate of quay.io was refused: self-signed; if the registry is yours, set caFile",
        "the host rests. Wait, or configure credentials",
    ],
)
def test_a_message_with_a_step_gets_no_second_one(message: str) -> None:
    for error_class in ADVICE:
        assert next_step(error_class, message) == ""


@pytest.mark.parametrize(
    "message",
    [
        "",
        "quay.io did not answer in time",
        "quay.io is rate limited for another 30 s",
        "the connection to add.io broke off",
    ],
)
def test_a_message_without_one_gets_that_of_its_class(message: str) -> None:
    for error_class in ErrorClass.values:
        assert next_step(error_class, message) == advice_for(error_class)
        assert bool(advice_for(error_class)) == bool(error_class)
