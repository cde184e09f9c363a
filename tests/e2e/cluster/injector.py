"""A second mutating webhook that adds a sidecar, as service meshes do."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import WEBHOOKS, pod_of
from tests.support.authority import Authority
from tests.support.ports import wait_until


@contextmanager
def injector(cluster: Cluster, directory: Path, namespace: str, image: str) -> Iterator[None]:
    """Register the webhook for pods of one namespace. Its name sorts after the product's webhook, so the API server
    calls it second, and then calls the product's webhook again."""
    authority = Authority(directory)
    authority.issue(directory / "injector.crt", directory / "injector.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(image))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "injector.crt", directory / "injector.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="injector", daemon=True)
    thread.start()
    hook = {
        "name": "inject.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {
            "url": f"https://127.0.0.1:{server.server_port}/",
            "caBundle": base64.b64encode(authority.file.read_bytes()).decode(),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    name = f"zz-injector-{namespace}"
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    cluster.api.create(WEBHOOKS, {**kind, "metadata": {"name": name}, "webhooks": [hook]})
    try:
        wait_until(lambda: _is_called(cluster, namespace), what="an API server that calls the injector")
        yield
    finally:
        cluster.api.delete(f"{WEBHOOKS}/{name}")
        server.shutdown()
        server.server_close()
        thread.join(10)


def _is_called(cluster: Cluster, namespace: str) -> bool:
    """Return whether the API server already uses the new configuration, which it learns of by a watch."""
    pod = cluster.api.create(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod_of("injector.example.com/any:1"))
    return len(pod["spec"]["containers"]) > 1


def _handler(image: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            names = {container["name"] for container in review["request"]["object"]["spec"]["containers"]}
            sidecar = {"name": "proxy", "image": image}
            patch = [] if "proxy" in names else [{"op": "add", "path": "/spec/containers/-", "value": sidecar}]
            response = {"uid": review["request"]["uid"], "allowed": True}
            if patch:
                encoded = base64.b64encode(json.dumps(patch).encode()).decode()
                response |= {"patchType": "JSONPatch", "patch": encoded}
            body = json.dumps({**review, "request": None, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
