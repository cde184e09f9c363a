"""The names in the list of behaviors are defined in the files that the list gives."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.databases import ROOT

PAGE = ROOT / "docs/development/behaviors.md"
_PLACE = re.compile(r"`([\w./-]+\.py)`: ((?:`\w+`(?:, )?)+)")


def places() -> Iterator[tuple[str, str]]:
    """Yield file and name of each entry."""
    for file, names in _PLACE.findall(PAGE.read_text()):
        for name in re.findall(r"`(\w+)`", names):
            yield file, name


@pytest.mark.parametrize(("file", "name"), sorted(places()))
def test_a_listed_name_is_defined_in_its_file(file: str, name: str) -> None:
    defined = rf"^(?:\s*(?:async )?def {name}\b|class {name}\b|{name}\b.*=)"

    assert re.search(defined, (ROOT / file).read_text(), re.MULTILINE)


def test_listed_names_are_parsed_from_the_page() -> None:
    assert ("webhook/decision/decision.py", "settle") in set(places())
