"""A feed from an API server with unusual responses: a fake server whose responses each test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirrors.kubernetes.api_server.object_reader import ObjectReader
from mirrors.kubernetes.objects.watched_objects import Pod
from mirrors.watcher.destinations import Pods
from mirrors.watcher.feed import Feed
from mirrors.watcher.inventory import Inventory
from tests.support.ports import wait_until
from tests.watcher import support


def pod(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "5"}
    return {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "nginx:1"}]}, **fields}


def event(kind: str, found: Any) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode()


@dataclass
class ApiServer:
    """A server that responds to each list with ``status`` and ``page``, and to each watch with ``lines``."""

    status: int = 200
    page: Any = field(default_factory=lambda: {"metadata": {"resourceVersion": "1"}, "items": [pod("first")]})
    lines: list[bytes] = field(default_factory=list)
    watches: int = 0

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        is_watch = "watch=true" in request.path
        self.watches += is_watch
        listed = self.page if isinstance(self.page, bytes) else json.dumps(self.page).encode()
        body = b"".join(line + b"\n" for line in self.lines) if is_watch else listed
        request.send_response(200 if is_watch else self.status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    found = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            found.answer(self)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found
        server.shutdown()


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()


@pytest.fixture
def feed(api: ApiServer, inventory: Inventory) -> Iterator[Feed]:
    made = Feed(ObjectReader(Pod, "", lambda verb, resource: None), Pods(inventory, ""))
    yield made
    made.stop()


NULLS = {
    "metadata": {"name": "odd", "namespace": "shop", "uid": "odd", "deletionTimestamp": None, "labels": None},
    "spec": {"nodeName": None, "containers": [{"name": "app", "image": "nginx:1"}, None], "volumes": None},
    "status": {"phase": None, "containerStatuses": [{"name": "app", "imageID": None, "state": {"waiting": None}}]},
}


@pytest.mark.parametrize("items", [[NULLS], [None, pod("odd")], [{**pod("odd"), "status": None}]])
def test_null_fields_in_a_list_are_accepted(items: list[Any], api: ApiServer, feed: Feed, inventory: Inventory) -> None:
    api.page = {"metadata": {"resourceVersion": "1", "remainingItemCount": None}, "items": items}
    feed.start()

    wait_until(lambda: feed.has_listed, what="the list")
    assert [one.image for one in inventory.pods["odd"].containers] == ["nginx:1"]


def test_null_items_count_as_an_empty_list(api: ApiServer, feed: Feed, inventory: Inventory) -> None:
    inventory.put_pod("old", support.pod())
    api.page = {"metadata": {"resourceVersion": "1"}, "items": None}
    feed.start()

    wait_until(lambda: feed.has_listed, what="the list")
    assert "old" not in inventory.pods and feed.problem == ""


def test_events_with_null_fields_and_empty_lines_are_accepted(api: ApiServer, feed: Feed, inventory: Inventory) -> None:
    api.lines = [event("ADDED", NULLS), b"", b" ", event("ADDED", pod("last"))]
    feed.start()

    wait_until(lambda: inventory.pods.keys() == {"first", "odd", "last"}, what="the pods")
    assert feed.problem == ""


def test_an_error_response_from_a_proxy_is_reported_with_its_status(api: ApiServer, feed: Feed) -> None:
    api.status, api.page = 502, b"<html>Bad Gateway</html>"
    feed.start()

    wait_until(lambda: feed.problem, what="the problem")
    assert feed.problem == "pods cannot be read: the API server responded with status 502"


def test_watches_that_fail_immediately_are_retried_with_growing_pauses(api: ApiServer, feed: Feed) -> None:
    api.lines = [event("ERROR", {"kind": "Status", "status": "Failure", "code": 500})]

    pauses = [feed._turn() for _ in range(6)]

    assert pauses[0] == 0 and all(after > 1.2 * before for before, after in zip(pauses[1:], pauses[2:], strict=False))
