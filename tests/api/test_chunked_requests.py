"""Request bodies in HTTP chunks, as curl and Go send bodies of unknown length, with the running web process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.databases import DatabaseTemplate
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Webhook, run_manage, web_process, write_config

MAKE = """
from django.contrib.auth.models import User
from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
print(ApiToken.issue(user=User.objects.create_superuser("script"), name="t", role=Role.ADMIN)[1])
"""


class Api:
    def __init__(self, port: int, token: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def is_ready(self) -> bool:
        try:
            return POOL.request("GET", f"{self._url}/readyz", retries=False, timeout=5).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def send(self, method: str, path: str, body: Any) -> urllib3.BaseHTTPResponse:
        """Send a request whose body has at least three chunks."""
        text = json.dumps(body).encode()
        size = min(100_000, len(text) // 3 + 1)
        parts = (text[at : at + size] for at in range(0, len(text), size))
        url = f"{self._url}/api/v1/{path}"
        return POOL.request(method, url, body=parts, headers=self._headers, retries=False, timeout=30)


@pytest.fixture
def api(database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[Api]:
    with database_template.copy(tmp_path) as database:
        system = Webhook(write_config(tmp_path / "config.yaml", target="mirror.example.com"), database, tmp_path)
        system.prepare()
        token = run_manage("shell", "-v0", "-c", MAKE, environment=system.environment).stdout.strip()
        with web_process(system, port := free_port()):
            found = Api(port, token)
            wait_until(found.is_ready, timeout=60, what="the web process")
            yield found


def test_chunked_request_bodies_are_accepted_up_to_the_size_limit(api: Api) -> None:
    made = api.send("POST", "filters/", {"name": "a", "jmespath": "`true`", "enabled": False})
    assert made.status == 201 and made.json()["enabled"] is False, made.data
    changed = api.send("PATCH", f"filters/{made.json()['id']}/", {"enabled": True})
    assert changed.status == 200 and changed.json()["enabled"] is True
    assert api.send("POST", "jobs/", {"image": "nginx:1.27"}).status == 201
    large = api.send("POST", "jobs/", {"image": "x" * 3_000_000})
    assert (large.status, large.json()["code"]) == (413, "too-large")
