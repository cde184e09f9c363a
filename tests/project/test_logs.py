"""The log has one line for each admission, as JSON or for a console. No content of a pod can break a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import DatabaseTemplate
from tests.support.system import pod_of, running_webhook

HOSTILE = 'evil\n{"level":"info","message":"Admitted"}\x1b[2J\x9b31m\x7f\u2028\r\0'
ALWAYS: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}


@pytest.mark.parametrize("style", ["json", "console"])
def test_pod_content_cannot_break_a_log_line(style: str, database_template: DatabaseTemplate, tmp_path: Path) -> None:
    pod = pod_of(HOSTILE, "nginx:1.25", name=HOSTILE)
    with running_webhook(
        tmp_path, database_template, target="mirror.example.com:5000", logFormat=style, **ALWAYS
    ) as webhook:
        before = len(webhook.log_text().splitlines())
        assert webhook.admit(pod, namespace=HOSTILE, operation=HOSTILE).allowed
        assert webhook.admit(pod, namespace=HOSTILE).allowed
        text = webhook.log_text()

    lines = text.splitlines()[before:]
    assert len([line for line in lines if "Admitted" in line]) == 2
    assert not [character for line in lines for character in line if not character.isprintable()]


def test_an_admission_is_logged_on_one_line_with_its_images(
    database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    filters = [{"jmespath": "contains(container.image, 'quay.io')"}]
    with running_webhook(
        tmp_path, database_template, target="mirror.example.com:5000", source={"filters": filters}, **ALWAYS
    ) as webhook:
        response = webhook.admit(pod_of("nginx:1.25", "quay.io/org/app:1"), namespace="shop")
        (line,) = [line for line in webhook.log_lines() if line.get("uid") == response.response["uid"]]

    assert {key: line[key] for key in ("level", "message", "kind", "operation", "namespace", "name")} == {
        "level": "info",
        "message": "Admitted",
        "kind": "Pod",
        "operation": "CREATE",
        "namespace": "shop",
        "name": "web",
    }
    assert line["time"].endswith("Z")
    assert line["images"] == [
        {
            "source-image": "nginx:1.25",
            "target-image": "mirror.example.com:5000/docker.io/library/nginx:1.25",
            "reason": "policy-always",
        },
        {
            "source-image": "quay.io/org/app:1",
            "target-image": None,
            "reason": "filtered",
            "filter": "source.filters[0]",
        },
    ]


def test_the_log_line_has_the_kind_and_whether_it_is_a_dry_run(
    database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    with running_webhook(tmp_path, database_template, target="mirror.example.com:5000", **ALWAYS) as webhook:
        responses = [
            webhook.admit(pod_of("nginx"), dryRun=True),
            webhook.admit(pod_of("nginx"), kind={"group": "apps", "version": "v1", "kind": "Deployment"}),
        ]
        lines = {line["uid"]: line for line in webhook.log_lines() if "uid" in line}
    dry, deployment = (lines[response.response["uid"]] for response in responses)
    assert dry["dry-run"] is True and "dry-run" not in deployment
    assert (dry["kind"], deployment["kind"]) == ("Pod", "Deployment")


def test_the_configured_log_level_applies(database_template: DatabaseTemplate, tmp_path: Path) -> None:
    with running_webhook(
        tmp_path, database_template, target="mirror.example.com:5000", logLevel="error", **ALWAYS
    ) as webhook:
        assert webhook.admit(pod_of("nginx:1.25")).images
        text = webhook.log_text()

    assert "Admitted" not in text
    assert [json.loads(line)["level"] for line in text.splitlines() if line.startswith("{")] in ([], ["error"])
