"""Each recipe of the cookbook compiles, and matches only the first of the two pods that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from mirrors.filters import ReviewBudget, compile_filter
from mirrors.filters.warnings import filter_warning
from tests.docs.markdown import blocks
from tests.support.databases import ROOT

PAGE = ROOT / "docs/cookbook.md"


@dataclass(frozen=True, slots=True)
class Recipe:
    query: str
    pods: dict[str, dict[str, Any]]

    def answer(self, pod: str) -> bool:
        found = self.pods[pod]
        data = {"obj": found, "container": found["spec"]["containers"][0]}
        return compile_filter("recipe", self.query).matches(data, ReviewBudget())


def recipes() -> list[Recipe]:
    """Return each query with the pods that follow it."""
    found = list(blocks(PAGE))
    queries = [block.text.strip() for block in found if block.language == "jmespath"]
    pods = [yaml.safe_load(block.text) for block in found if block.language == 'yaml title="pods"']
    return [Recipe(query, pair) for query, pair in zip(queries, pods, strict=True)]


RECIPES = recipes()
EACH = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.query[:50])


@EACH
def test_a_recipe_matches_one_pod_and_not_the_other(recipe: Recipe) -> None:
    assert (recipe.answer("matches"), recipe.answer("does not match")) == (True, False)


@EACH
def test_a_recipe_has_no_warning(recipe: Recipe) -> None:
    assert filter_warning(recipe.query) == ""


def test_there_are_at_least_twelve_recipes() -> None:
    assert len(RECIPES) >= 12
