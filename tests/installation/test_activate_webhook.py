"""The command that activates the webhook, on a real API server: its conditions, and its refusals."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.installation.support import RBAC, Site
from tests.support.authority import Authority
from tests.support.controlplane import ACCOUNT
from tests.support.system import run_manage

ROLE = "swapper-active"
RIGHTS = [
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "resourceNames": [ROLE], "verbs": ["bind"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create", "get"]},
]


def activate(site: Site, *arguments: str) -> CompletedProcess[str]:
    flags = ["--namespace", site.namespace, "--webhook-configuration", site.configuration]
    command = ["activate_webhook", *flags, "--role", ROLE, "--service-account", site.service, "--wait-seconds", "1"]
    return run_manage(*command, *arguments, environment=site.environment, check=False)


def let_bind(site: Site) -> None:
    """Create the Role that is bound, and the permissions of the set-up, as the chart does."""
    roles = f"{RBAC}/namespaces/{site.namespace}"
    review = {"apiGroups": ["k8s-image-swapper.github.io"], "resources": ["admissions"], "verbs": ["review"]}
    site.plane.create(f"{roles}/roles", ROLE, "Role", rules=[review])
    site.plane.create(f"{roles}/roles", "activation", "Role", rules=RIGHTS)
    bind(site, "activation", {"kind": "User", "name": ACCOUNT, "apiGroup": "rbac.authorization.k8s.io"})


def bind(site: Site, role: str, subject: dict[str, str]) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    path = f"{RBAC}/namespaces/{site.namespace}/rolebindings"
    site.plane.create(path, role, "RoleBinding", subjects=[subject], roleRef=reference)


def bindings(site: Site) -> dict[str, Any]:
    found = site.plane.request("GET", f"{RBAC}/namespaces/{site.namespace}/rolebindings")["items"]
    return {item["metadata"]["name"]: item for item in found}


@contextmanager
def answering(directory: Path, body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the URL and the caBundle of a server that responds to each review with this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            uid = sent.partition(b'"uid"')[2].split(b'"')[1]
            response = body.replace(b"UID", uid)
            self.send_response(200)
            self.send_header("Content-Length", str(len(response)))
            self.end_headers()
            self.wfile.write(response)

    authority = Authority(directory)
    authority.issue(directory / "tls.crt", directory / "tls.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        bundle = base64.b64encode(authority.file.read_bytes()).decode()
        yield f"https://127.0.0.1:{server.server_port}/webhook/secret", bundle
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


ADMITTED = b'{"response": {"uid": "UID", "allowed": true}}'


def test_the_role_is_bound_after_the_webhook_has_responded(site: Site, tmp_path: Path) -> None:
    let_bind(site)
    with answering(tmp_path, ADMITTED) as (url, bundle):
        site.register(clientConfig={"url": url, "caBundle": bundle})
        first, second = activate(site), activate(site)

    made = bindings(site)[ROLE]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert made["subjects"] == [{"kind": "ServiceAccount", "name": site.service, "namespace": site.namespace}]
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner["uid"] == site.registration()["metadata"]["uid"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"{}", "it responded with status 200 instead of a review that admits the pod"),
        (
            b'{"response": {"uid": "UID", "allowed": false}}',
            "it responded with status 200 instead of a review that admits the pod",
        ),
    ],
    ids=["no-review", "refused"],
)
def test_a_response_that_does_not_admit_the_pod_binds_no_role(
    answer: bytes, said: str, site: Site, tmp_path: Path
) -> None:
    let_bind(site)
    with answering(tmp_path, answer) as (url, bundle):
        site.register(clientConfig={"url": url, "caBundle": bundle})
        result = activate(site)

    assert result.returncode == 1
    assert said in result.stderr and "/webhook/secret" not in result.stdout + result.stderr
    assert ROLE not in bindings(site)


def test_an_untrusted_certificate_binds_no_role(site: Site, tmp_path: Path) -> None:
    let_bind(site)
    (tmp_path / "other").mkdir()
    other = base64.b64encode(Authority(tmp_path / "other").file.read_bytes()).decode()
    with answering(tmp_path, ADMITTED) as (url, _):
        site.register(clientConfig={"url": url, "caBundle": other})
        result = activate(site)

    assert result.returncode == 1
    assert "cannot be reached" in result.stderr and "certificate verify failed" in result.stderr
    assert ROLE not in bindings(site)


def test_a_missing_configuration_or_ca_bundle_is_reported_on_one_line(site: Site) -> None:
    let_bind(site)
    absent = activate(site)
    site.register()
    without_authority = activate(site)

    assert f"MutatingWebhookConfiguration {site.configuration} does not exist" in absent.stderr
    assert "caBundle is empty" in without_authority.stderr
    for result in (absent, without_authority):
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr


def test_a_missing_permission_is_reported(site: Site) -> None:
    site.register()

    result = activate(site)

    assert result.returncode == 1
    assert "Allow the service account to get rolebindings, and bind the role" in result.stderr


def test_a_role_binding_of_an_earlier_installation_is_rejected(site: Site) -> None:
    """The garbage collector soon deletes such a binding, and after that the API server would skip the webhook."""
    let_bind(site)
    site.register()
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROLE}
    owner = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    metadata = {"name": ROLE, "ownerReferences": [{**owner, "name": site.configuration, "uid": "earlier"}]}
    body = {"metadata": metadata, "roleRef": reference, "subjects": []}
    site.plane.request("POST", f"{RBAC}/namespaces/{site.namespace}/rolebindings", body)

    result = activate(site)

    assert result.returncode == 1
    assert "belongs to an earlier installation and is being deleted" in result.stderr
