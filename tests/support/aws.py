"""AWS for tests: moto's server in a separate process, and a real registry with the host name of ECR."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests.support.databases import ROOT
from tests.support.ports import free_port, wait_until
from tests.support.registries import Registry, distribution

ACCOUNT = "123456789012"
REGION = "eu-central-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
HTTP = urllib3.PoolManager()


@dataclass
class Aws:
    """A running server. ``environment`` points botocore at it, with static keys."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "aws-secret-for-tests",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.support.aws_server", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ))
        wait_until(self._answers, timeout=60, what="moto's server")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def reset(self) -> None:
        """Reset the server to its initial state."""
        HTTP.request("POST", f"{self.environment['AWS_ENDPOINT_URL']}/moto-api/reset")
        self.steer("faults", {})
        self.steer("rules", [])
        self.steer("held", [])

    @contextmanager
    def holding(self, action: str) -> Iterator[None]:
        """Hold the next call of an IAM action without a response until the block exits."""
        self.steer("held", [action])
        try:
            yield
        finally:
            self.steer("held", [])

    def steer(self, what: str, value: object) -> Any:
        body = json.dumps(value).encode() if value is not None else None
        return HTTP.request("POST", f"http://127.0.0.1:{self.port}/-/{what}", body=body).json()

    def fail(
        self,
        action: str,
        code: str = "AccessDeniedException",
        message: str = "",
        *,
        times: int = 10**6,
        status: int = 400,
    ) -> None:
        """Make calls of an IAM action fail from now on, ``times`` times."""
        faults = self.steer("faults", None)
        faults[action] = {"code": code, "message": message or _denial(action), "times": times, "status": status}
        self.steer("faults", faults)

    def heal(self) -> None:
        self.steer("faults", {})

    def calls(self) -> dict[str, int]:
        """Return how often each IAM action was called since the start of the server."""
        found: dict[str, int] = self.steer("calls", None)
        return found

    @contextmanager
    def recording(self) -> Iterator[dict[str, int]]:
        """Yield a dict that contains the calls of the block after it has exited."""
        before = self.calls()
        during: dict[str, int] = {}
        yield during
        during.update({action: n - before.get(action, 0) for action, n in self.calls().items()})
        for action in [action for action, n in during.items() if not n]:
            del during[action]

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log.read_text()
        try:
            return HTTP.request("GET", f"http://127.0.0.1:{self.port}/-/calls", retries=False, timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _denial(action: str) -> str:
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/swapper/k8s-image-swapper"
    return f"User: {caller} is not authorized to perform: {action} because no identity-based policy allows the {action}"


@contextmanager
def running_aws(directory: Path) -> Iterator[Aws]:
    aws = Aws(free_port(), directory / "moto.log")
    aws.start()
    try:
        yield aws
    finally:
        aws.stop()


@contextmanager
def ecr_registry(directory: Path) -> Iterator[Registry]:
    """A real registry with the host name of ECR, over TLS, that accepts the token that ``Aws`` issues."""
    with distribution(directory, htpasswd=True, tls=True, username="AWS", names=(HOST,)) as registry:
        yield registry


def target_keys(registry: Registry | None = None, **keys: Any) -> dict[str, Any]:
    """Return ``target`` of a configuration for the tests' ECR registry."""
    reach = {"connectTo": registry.host, "caFile": registry.ca_file} if registry else {}
    return {"type": "aws", "aws": {"accountId": ACCOUNT, "region": REGION, **reach, **keys}}
