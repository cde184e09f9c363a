"""moto's server with features that it lacks for ECR: tokens with a set lifetime, pull-through rules, injected faults,
and a record of calls.

Run it as ``python -m tests.support.aws_server PORT``. Tests control it by requests to ``/-/``.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

from tests.support.registries import PASSWORD

STATE: dict[str, Any] = {"faults": {}, "rules": [], "held": [], "lifetime": 43_200.0}
CALLS: Counter[str] = Counter()

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def authorization_token(self: ECRResponse) -> ActionResult:
    token = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
    expires_at = datetime.now(UTC) + timedelta(seconds=STATE["lifetime"])
    return ActionResult({"authorizationData": [{"authorizationToken": token, "expiresAt": expires_at}]})


def pull_through_rules(self: ECRResponse) -> ActionResult:
    return ActionResult({"pullThroughCacheRules": [{"ecrRepositoryPrefix": prefix} for prefix in STATE["rules"]]})


class Steered:
    """WSGI middleware that counts each call by its IAM action and responds to the calls that must fail."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        if environ["PATH_INFO"].startswith("/-/"):
            return self._steer(environ["PATH_INFO"][3:], body, start)
        action = _action(environ, body)
        CALLS[action] += 1
        _wait_while_held(action)
        fault = STATE["faults"].get(action)
        if fault is None or fault["times"] <= 0:
            return self._app(environ, start)
        fault["times"] -= 1
        return _fail(action, fault, start)

    def _steer(self, what: str, body: bytes, start: Callable[..., Any]) -> Iterable[bytes]:
        if body:
            STATE[what] = json.loads(body)
        response = dict(CALLS) if what == "calls" else STATE.get(what)
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(response).encode()]


def _wait_while_held(action: str) -> None:
    """Wait while the call is held. ``held`` names the actions whose next call gets no response until the list is
    replaced."""
    held = STATE["held"]
    if action in held:
        held.remove(action)
        deadline = time.monotonic() + 30
        while STATE["held"] is held and time.monotonic() < deadline:
            time.sleep(0.02)


def _action(environ: dict[str, Any], body: bytes) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return f"ecr:{target.rpartition('.')[2]}"
    return f"sts:{parse_qs(body.decode()).get('Action', ['?'])[0]}"


def _fail(action: str, fault: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    code, message = fault["code"], fault["message"]
    status = f"{fault['status']} Refused"
    if action.startswith("ecr:"):
        start(status, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)])
        return [json.dumps({"__type": code, "message": message}).encode()]
    start(status, [("Content-Type", "text/xml")])
    return [f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>".encode()]


def main() -> None:
    ECRResponse.get_authorization_token = authorization_token  # type: ignore[method-assign]
    ECRResponse.describe_pull_through_cache_rules = pull_through_rules  # type: ignore[attr-defined]
    app: Any = Steered(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)


if __name__ == "__main__":
    main()
