"""Cells of the CSV files of lists: values that programs can parse, never texts of pages."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.models import MirrorJob
from tests.admin.test_list_tools import file_of
from tests.support.example_rows import SIZE, example

pytestmark = pytest.mark.django_db

EXPORTED = [model for model, page in admin.site._registry.items() if isinstance(page, ReadOnlyAdmin)]
BOOLEANS: Final = {"yes", "no"}
SIZES: Final = {"size", "copied", "bytes total", "bytes copied", "bytes mounted", "bytes skipped"}
ISO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
WORDS_OF_PAGES: Final = re.compile(
    r"\n|<|\bago\b|\bin \d+ (s|min|h|d)\b|\d [KMGT]?i?B\b|\d\d? [A-Z][a-z][a-z]\b|^(True|False|None|job \d+)$"
)
"""Line breaks, tags, relative times, sizes with a unit, dates without a year, and names of Python values."""


def cells(client: Client, model: type[models.Model]) -> dict[str, str]:
    """Return the cells of the newest row by the titles of their columns."""
    head, *rows = file_of(client, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export"))
    row, *_ = rows
    return dict(zip(head, row, strict=True))


@pytest.mark.parametrize("model", EXPORTED, ids=lambda model: model._meta.model_name)
def test_csv_cells_are_machine_readable(model: Any, admin_client: Client) -> None:
    names = {field.name for field in model._meta.concrete_fields}
    row = example(model, **({"job": example(MirrorJob)} if "job" in names else {}))
    first = cells(admin_client, model)
    flags = [field.name for field in model._meta.concrete_fields if isinstance(field, models.BooleanField)]
    if flags:
        model._base_manager.filter(pk=row.pk).update(**dict.fromkeys(flags, False))
    second = cells(admin_client, model)

    for title, cell in [*first.items(), *second.items()]:
        assert not WORDS_OF_PAGES.search(cell), (title, cell)
        assert ISO_TIME.fullmatch(cell) or not re.search(r"\d:\d\d", cell), (title, cell)
        assert title not in SIZES or cell == str(SIZE), (title, cell)
        assert title != "job" or cell == str(row.job.pk), cell
        if {first[title], second[title]} & BOOLEANS:
            assert cell in BOOLEANS, (title, cell)
