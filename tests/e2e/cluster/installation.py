"""Access to an installed release as an operator has it: database rows, metrics, API, pages and commands."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.cluster.cluster import CHART
from tests.e2e.cluster.release import Release
from tests.support.controlplane import ADMIN
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.support.system import read_metrics, run_manage

SECONDS = 30
"""Timeout of a request to the web process."""

GET_EVERY = 0.5
"""Seconds between two GET requests to the API: half of the rate that its limit allows for one user."""

HOST = {"Host": "localhost"}
"""A host name that the web process accepts with any configuration."""

TOKEN = """
from django.contrib.auth.models import Group, User
from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
user, _ = User.objects.get_or_create(username="stories")
user.groups.add(Group.objects.get(name="admin"))
print(ApiToken.issue(user=user, name="stories", role=Role.ADMIN)[1])
"""


@dataclass
class Installation:
    """A release with the chart's own Postgres. ``directory`` is for the files of commands."""

    release: Release
    directory: Path
    _token: str = field(default="", init=False)
    _asked_at: float = field(default=0.0, init=False)

    @property
    def database_url(self) -> str:
        password = self._secret("postgresql")["password"]
        return f"postgres://swapper:{password}@{self._address('postgresql')}:5432/swapper"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self.database_url, sql)

    def metrics(self, role: str = "web") -> dict[str, float]:
        """Return the metrics of the pod of a role, ``web`` or ``watcher``."""
        port = {"web": 8000, "watcher": 8002}[role]
        response = requests.get(f"http://{self._address(role)}:{port}/metrics", headers=HOST, timeout=SECONDS)
        return read_metrics(response.text)

    def get(self, path: str) -> list[dict[str, Any]]:
        """Return all rows of a resource of the API, such as ``pull-failures/?at=target``."""
        rows: list[dict[str, Any]] = self.read(path)["results"]
        return rows

    def read(self, path: str) -> dict[str, Any]:
        """Return one object of the API."""
        self._await_turn()
        response = requests.get(self._api(path), headers=self._headers(), timeout=SECONDS)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Create a row or run an action with the API, and return the response."""
        response = requests.post(self._api(path), json=fields, headers=self._headers(), timeout=SECONDS)
        assert response.status_code < 300, response.text
        made: dict[str, Any] = response.json()
        return made

    def page(self, path: str = "/admin/") -> str:
        """Return a page of the admin as the first user sees it."""
        with requests.Session() as session:
            session.headers.update(HOST)
            url = f"http://{self._address('web')}:8000"
            session.get(f"{url}/admin/login/", timeout=SECONDS)
            secret = self._secret("admin")
            form = {name: secret[name] for name in ("username", "password")}
            form |= {"csrfmiddlewaretoken": session.cookies["csrftoken"], "next": path}
            response = session.post(f"{url}/admin/login/", data=form, timeout=SECONDS)
            assert response.status_code == 200 and response.url.endswith(path), response.text
            return response.text

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command with the installation's configuration and database and the rights of an administrator."""
        api, release = self.release.cluster.api, self.release
        found = api.get(f"/api/v1/namespaces/{release.namespace}/configmaps/{release.fullname}")
        config = self.directory / "installed.yaml"
        config.write_text(found["data"][".k8s-image-swapper.yaml"])
        environment = {
            "SWAPPER_CONFIG": str(config),
            "SWAPPER_DATABASE_URL": self.database_url,
            "SWAPPER_DATA_DIR": str(self.directory),
            "KUBECONFIG": str(release.cluster.plane.kubeconfig(ADMIN)),
        }
        return run_manage(*arguments, environment=environment, check=check)

    def configure(self, *, waits: bool = True, **config: Any) -> None:
        """Run ``helm upgrade`` with these configuration keys changed. ``waits``: wait until all pods have them."""
        release = self.release
        release.values["config"] |= config
        file = self.directory / "upgraded.json"
        file.write_text(json.dumps(release.values))
        wait = ["--wait"] if waits else []
        release.cluster.helm("upgrade", release.name, str(CHART), "-n", release.namespace, "-f", str(file), *wait)

    def _await_turn(self) -> None:
        """Wait between requests, because tests poll, and the API allows a user only a few requests each second."""
        time.sleep(max(0.0, self._asked_at + GET_EVERY - time.monotonic()))
        self._asked_at = time.monotonic()

    def _api(self, path: str) -> str:
        return f"http://{self._address('web')}:8000/api/v1/{path}"

    def _headers(self) -> dict[str, str]:
        if not self._token:
            self._token = self.manage("shell", "-v0", "-c", TOKEN).stdout.strip()
        return {**HOST, "Authorization": f"Token {self._token}"}

    def _address(self, component: str) -> str:
        """Return the address of the component's only pod, after a rollout has finished."""
        node, namespace = self.release.cluster.node, self.release.namespace
        wait_until(lambda: len(node.pods(namespace, component)) == 1, timeout=90, what=f"one pod of {component}")
        return node.pods(namespace, component)[0].address

    def _secret(self, suffix: str) -> dict[str, str]:
        path = f"/api/v1/namespaces/{self.release.namespace}/secrets/{self.release.fullname}-{suffix}"
        data = self.release.cluster.api.get(path)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
