"""A steady load of pods with known images: each review must be answered in time and swapped, whatever else fails."""

from __future__ import annotations

import base64
import json
import threading
import time
from types import TracebackType
from typing import Self

import urllib3

from tests.support.system import Webhook, pod_of, review_of

BUDGET = 2.0
"""The longest time for a response, in seconds."""

SLACK = 0.5
"""Additional seconds for the test's own threads on a busy machine."""


class SteadyLoad:
    """Send reviews from several clients while the block runs. Fail at its end if a response was late or did not swap.

    With ``fresh``, each review uses a new connection.
    """

    def __init__(
        self, webhook: Webhook, image: str, *, clients: int = 2, pause: float = 0.05, fresh: bool = False
    ) -> None:
        self._url = f"{webhook.url}{webhook.path}"
        self._body = json.dumps(review_of(pod_of(image))).encode()
        self._pause = pause
        self._fresh = fresh
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        self.answers = 0
        self.slowest = 0.0
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if error is None:
            assert self.problems == [], f"{len(self.problems)} of {self.answers}: {self.problems[:5]}"
            assert self.answers, "nothing was asked"

    def _run(self) -> None:
        pool = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
        headers = {"Connection": "close"} if self._fresh else {}
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                response = pool.request("POST", self._url, body=self._body, headers=headers, retries=False, timeout=30)
                self._look(response, time.monotonic() - started)
            except urllib3.exceptions.HTTPError as error:
                self.problems.append(f"after {time.monotonic() - started:.1f} s: {error!r}")
            self._stopping.wait(self._pause)
        pool.connection_from_url(self._url).close()

    def _look(self, response: urllib3.BaseHTTPResponse, seconds: float) -> None:
        self.answers += 1
        self.slowest = max(self.slowest, seconds)
        if response.status != 200:
            self.problems.append(f"status {response.status}: {response.data[:200]!r}")
            return
        answer = response.json()["response"]
        if seconds > BUDGET + SLACK:
            self.problems.append(f"an answer took {seconds:.1f} s")
        patch = json.loads(base64.b64decode(answer.get("patch", ""))) if answer.get("patch") else []
        if not any(operation["op"] == "replace" for operation in patch):
            self.problems.append("an answer did not swap")
