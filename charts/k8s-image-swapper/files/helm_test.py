"""The script of the `helm test` pod: it calls the registered webhook in the same way as the API server."""

import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAME = os.environ["WEBHOOK_CONFIGURATION"]
CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}"
SECONDS = 60
"""How long the test is retried: right after `helm install`, the certificate and the pods need some seconds."""

REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "helm-test",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "default",
        "name": "helm-test",
        "dryRun": True,
        "userInfo": {"username": "helm-test"},
        "object": {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "helm-test", "namespace": "default"},
            "spec": {"containers": [{"name": "test", "image": "docker.io/library/busybox:1"}]},
        },
    },
}


class NotReady(Exception):
    """The webhook does not work as registered; the message says what to do."""


def call(url, context, body=None, token=""):
    """Return the body of the response."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return answer.read().decode()


def registered():
    """Return the clientConfig of the webhook from the API server."""
    server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    found = json.loads(call(server + CONFIGURATION, context, token=(ACCOUNT / "token").read_text()))
    return found["webhooks"][0]["clientConfig"]


def check():
    """Print a line for each step. Raise NotReady or OSError if a step fails."""
    client = registered()
    service = client["service"]
    if not client.get("caBundle"):
        raise NotReady(
            "The webhook configuration has no caBundle: check the log of the set-up Job, or of cert-manager."
        )
    context = ssl.create_default_context(cadata=base64.b64decode(client["caBundle"]).decode())
    base = "https://{name}.{namespace}.svc:{port}".format(**service)
    print("ready:", call(f"{base}/readyz", context).strip())
    answer = json.loads(call(base + service.get("path", "/"), context, REVIEW))["response"]
    if answer["uid"] != "helm-test" or not answer["allowed"]:
        raise NotReady(f"The webhook denied a pod: {answer}")
    print("The webhook admits a pod, over TLS that the caBundle verifies.")


def problem():
    """Return what is wrong, or an empty string if the webhook works."""
    try:
        check()
    except NotReady as error:
        return str(error)
    except urllib.error.HTTPError as error:
        # Not the whole URL: its path can contain the token.
        return f"{urlsplit(error.url).netloc} responded with {error.code}: {error.read().decode()[:500]}"
    except OSError as error:
        return f"The webhook cannot be reached at its registered address: {error}"
    return ""


end = time.monotonic() + SECONDS
while found := problem():
    if time.monotonic() > end:
        sys.exit(found)
    time.sleep(1)
