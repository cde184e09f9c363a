"""Each reason, error class, metric and log message has one row in the documentation, and no row is obsolete."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrors.images import ImageRef, TargetName
from mirrors.models import ErrorClass
from mirrors.oci.common.errors import TRANSIENT
from mirrors.vocabulary.reasons import Reason
from tests.docs.markdown import code, rows
from tests.support.databases import ROOT

HOW_IT_WORKS = ROOT / "docs/how-it-works.md"
OPERATIONS = ROOT / "docs/operations.md"


def test_each_reason_has_one_row() -> None:
    reported = [code(cells[0])[0] for cells in rows(HOW_IT_WORKS, "Reason", "Decision", "Meaning", "What to do")]

    assert sorted(reported) == sorted(Reason)


def test_each_error_class_has_one_row() -> None:
    reported = [code(cells[0])[0] for cells in rows(OPERATIONS, "Error type", "Retried", "Meaning", "What to do")]

    assert sorted(reported) == sorted(value for value in ErrorClass.values if value)


def test_documented_retries_match_the_retried_error_types() -> None:
    table = rows(OPERATIONS, "Error type", "Retried", "Meaning", "What to do")
    retried = {code(name)[0] for name, response, *_ in table if response == "yes"}

    assert retried == TRANSIENT | {ErrorClass.CREDENTIAL, ErrorClass.WORKER_LOST, ErrorClass.INTERNAL}


@pytest.mark.parametrize("row", rows(OPERATIONS, "Message", "Process", "Other fields"), ids=lambda row: row[0][:40])
def test_a_documented_log_message_exists_in_the_code(row: list[str]) -> None:
    sources = [path.read_text() for part in ("webhook", "mirrors", "swapper_project") for path in source_files(part)]
    for message in code(row[0]):
        assert any(f'"{message}"' in text for text in sources), message


def source_files(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("row", rows(HOW_IT_WORKS, "In the pod", "At the target"), ids=lambda row: row[0])
def test_the_target_name_of_an_image_matches_its_row(row: list[str]) -> None:
    target = TargetName("registry.example.com", "mirror")

    assert str(target.retarget(ImageRef.parse(code(row[0])[0]))) == code(row[1])[0]


def test_the_table_of_target_names_is_not_empty() -> None:
    assert rows(HOW_IT_WORKS, "In the pod", "At the target")
