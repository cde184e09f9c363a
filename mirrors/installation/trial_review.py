"""A trial review, sent to the webhook as API servers do: to the registered address, over verified TLS."""

from __future__ import annotations

import base64
import ssl
import uuid
from typing import Any, Final

import httpx2 as httpx
from lightkube.models.admissionregistration_v1 import WebhookClientConfig

TIMEOUT_SECONDS: Final = 10.0
"""The default of a webhook's ``timeoutSeconds``: the API server would not wait longer for a response either."""


class TrialError(Exception):
    """The webhook did not respond in a way that API servers accept; the message contains the reason."""


def send(registered: WebhookClientConfig) -> None:
    """Send a trial review to the webhook. Raises TrialError unless the webhook admits the pod."""
    if not registered.caBundle:
        raise TrialError("caBundle is empty: webhook_certs or cert-manager has not written it yet")
    review = _review(uid=str(uuid.uuid4()))
    try:
        with httpx.Client(verify=_context(registered.caBundle), timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            response = client.post(_url(registered), json=review)
    except (ValueError, ssl.SSLError) as error:
        raise TrialError(f"caBundle has no usable certificates ({error})") from None
    except httpx.HTTPError as error:
        raise TrialError(f"it cannot be reached at {_host(registered)}: {str(error) or type(error).__name__}") from None
    if response.status_code != httpx.codes.OK or not _is_admitted(response, review["request"]["uid"]):
        raise TrialError(f"it responded with status {response.status_code} instead of a review that admits the pod")


def _context(bundle: str) -> ssl.SSLContext:
    """Return a context that is as strict as an API server: it checks only subject alternative names, not common names,
    and does not check the key usages of authorities."""
    context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
    context.hostname_checks_common_name = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _is_admitted(response: httpx.Response, uid: str) -> bool:
    try:
        review_response = response.json()["response"]
        return bool(review_response["uid"] == uid and review_response["allowed"])
    except (ValueError, KeyError, TypeError):
        return False


def _url(registered: WebhookClientConfig) -> str:
    if registered.service is None:
        return str(registered.url)
    return f"https://{_host(registered)}{registered.service.path or '/'}"


def _host(registered: WebhookClientConfig) -> str:
    """Return the host and port of the webhook, without the path, which may contain the token."""
    if (service := registered.service) is None:
        return str(registered.url).split("/")[2]
    return f"{service.name}.{service.namespace}.svc:{service.port or 443}"


def _review(uid: str) -> dict[str, Any]:
    """Return a review of a sample pod. It is a dry run, so that no copy of its image is requested."""
    pods = {"group": "", "version": "v1"}
    metadata = {"name": "trial", "namespace": "default"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "trial", "image": "docker.io/library/busybox:1"}]},
    }
    request = {
        "uid": uid,
        "kind": {**pods, "kind": "Pod"},
        "resource": {**pods, "resource": "pods"},
        "operation": "CREATE",
        **metadata,
        "dryRun": True,
        "userInfo": {"username": "k8s-image-swapper-setup"},
        "object": pod,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
