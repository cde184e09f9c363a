"""Trying filters and reading admissions with the API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from mirrors.models import Filter
from tests.support.samples import sampled

POD = {
    "spec": {
        "initContainers": [{"name": "init", "image": "busybox"}],
        "containers": [{"name": "web", "image": "nginx"}],
        "ephemeralContainers": [{"name": "debug", "image": "alpine"}],
        "volumes": [{"name": "model", "image": {"reference": "quay.io/models/llm:1"}}, {"name": "tmp"}],
    }
}


def test_a_filter_is_evaluated_for_each_image_reference_of_a_pod(operator: APIClient) -> None:
    requested = {"jmespath": "contains(container.image, 'quay.io')", "pod": POD}
    responses = operator.post("/api/v1/filters/test/", requested, format="json").json()
    assert [(a["kind"], a["container"], a["matches"]) for a in responses] == [
        ("init container", "init", False),
        ("container", "web", False),
        ("image volume", "model", True),
        ("ephemeral container", "debug", False),
    ]


def test_images_that_a_trial_does_not_reach_are_listed_with_the_reason(operator: APIClient) -> None:
    pod = {"spec": {"containers": [{"name": f"c{number}", "image": f"nginx:{number}"} for number in range(102)]}}
    responses = operator.post("/api/v1/filters/test/", {"jmespath": "`true`", "pod": pod}, format="json").json()
    assert [a["matches"] for a in responses] == [True] * 100 + [None] * 2
    assert [a["error"] for a in responses[99:]] == [
        "",
        *["not evaluated: only the first 100 images of a pod are tried"] * 2,
    ]


@pytest.mark.parametrize("route", ["filters/test/", "filters/impact/"])
def test_an_expression_error_shows_its_line_column_and_caret(operator: APIClient, route: str) -> None:
    requested = {"jmespath": "`true` ||\nobj.["} | ({"pod": POD} if "test" in route else {})
    response = operator.post(f"/api/v1/{route}", requested, format="json")
    assert response.status_code == 400
    words, line, caret = response.json()["errors"]["jmespath"][0].split("\n")
    assert words.startswith("Line 2, column ") and line == "obj.[" and caret.strip() == "^"


def test_the_impact_is_listed_by_image(operator: APIClient) -> None:
    row = Filter.objects.create(name="tools", jmespath="contains(container.image, 'tools')")
    new, was = sampled("shop", "nginx:1"), sampled("shop", "tools/agent:2", reason="filtered")

    requested = {"jmespath": "contains(container.image, 'nginx')", "filter": row.pk}
    reported = operator.post("/api/v1/filters/impact/", requested, format="json").json()

    assert (reported["pods"], reported["images"], reported["is_cut"]) == (2, 2, False)
    assert [(c["sample"], c["image"], c["by"]) for c in reported["left_out"]] == [(new.pk, "nginx:1", "tools")]
    assert [(c["sample"], c["image"], c["by"]) for c in reported["mirrored"]] == [(was.pk, "tools/agent:2", "tools")]
    beside = operator.post("/api/v1/filters/impact/", {"jmespath": "`true`"}, format="json").json()
    assert (beside["left_out_count"], beside["mirrored_count"]) == (1, 0)


def test_an_expression_over_its_budget_is_stopped_and_reported(operator: APIClient) -> None:
    for number in range(40):
        sampled("shop", f"nginx:{number}")
    # Each level doubles the number of values that are evaluated.
    costly = f"to_string({' | '.join(['[@, @]'] * 20)}) == 'x'"
    reported = operator.post("/api/v1/filters/impact/", {"jmespath": costly}, format="json")
    assert reported.status_code == 200
    assert reported.json()["failures"] > 0
    assert "steps" in reported.json()["failure"]


def test_admissions_are_listed_newest_first_and_can_be_filtered(operator: APIClient) -> None:
    first, second = sampled("shop", "nginx:1"), sampled("billing", "redis:7", reason="absent")
    rows = operator.get("/api/v1/admissions/").json()["results"]
    assert [row["id"] for row in rows] == [second.pk, first.pk]
    assert (rows[0]["images"][0]["reason"], rows[0]["images"][0]["meaning"]) == ("absent", "not mirrored yet")
    assert "pod" not in rows[0]
    for query in ("namespace=shop", "namespace=shop&workload=web"):
        assert [r["id"] for r in operator.get(f"/api/v1/admissions/?{query}").json()["results"]] == [first.pk]
    assert operator.get("/api/v1/admissions/?workload=other").json()["results"] == []
    page = operator.get("/api/v1/admissions/?page_size=1").json()
    assert operator.get(page["next"]).json()["results"][0]["id"] == first.pk
    assert operator.get(f"/api/v1/admissions/{first.pk}/").json()["pod"]["kind"] == "Pod"
