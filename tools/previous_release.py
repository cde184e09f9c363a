"""Checks that the previous release runs on the schema of this one: pods of both run side by side during an upgrade, and
a rollback starts the previous one again.

``python -m tools.previous_release``; ``--ref v1.2.3`` checks another release than the previous one. First, this release
prepares a database. Then the previous release, from its own files and with the installed packages, prepares it again,
mirrors an image, reviews pods and copies images for them. Finally, this release continues with the resulting data.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
import yaml

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.ports import free_port, wait_until
from tests.support.postgres import running_server
from tests.support.system import POOL, pod_of, review_of
from tools.release_check import ROOT, version_of

COMMAND_SECONDS: Final = 120
"""The timeout of one command in seconds: `prepare` on an empty Postgres takes a few seconds."""

SWAP_SECONDS: Final = 60
"""The timeout in seconds from the first review of an image until a pod is swapped: the copy of one small layer."""

SECRET_KEY: Final = secrets.token_urlsafe(48)


class ReleaseError(Exception):
    """The previous release does not run on this schema; the message has the command and its output."""


@dataclass(frozen=True)
class Installation:
    """One database, and one source registry with the images ``first``, ``second`` and ``third``."""

    directory: Path
    database_url: str
    source: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "DJANGO_SETTINGS_MODULE": "swapper_project.settings",
            "SWAPPER_CONFIG": str(self.directory / "config.yaml"),
            "SWAPPER_DATA_DIR": str(self.directory / "data"),
            "SWAPPER_DATABASE_URL": self.database_url,
            "SWAPPER_SECRET_KEY": SECRET_KEY,
        }

    def run(self, code: Path, *command: str) -> None:
        """Run a command of the release whose files are in ``code``. Raises ReleaseError."""
        result = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=code,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if result.returncode:
            raise ReleaseError(f"manage.py {' '.join(command)} exited with {result.returncode}:\n{result.stderr}")

    @contextmanager
    def running(self, code: Path) -> Iterator[str]:
        """Run webhook, web and worker by ``up``, and yield the webhook's address. Raises ReleaseError if a log line has
        an error."""
        webhook, web, metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
        flags = ["--listen-address", webhook, "--no-tls", "--web-address", web, "--metrics-address", metrics]
        log = self.directory / "up.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *flags], cwd=code, env=self.environment, stdout=file, stderr=file
            )
        try:
            yield webhook
        except AssertionError as error:
            raise ReleaseError(f"manage.py up: {error}\n{log.read_text()}") from None
        finally:
            process.terminate()
            process.wait(COMMAND_SECONDS)
        if errors := [
            line for line in log.read_text().splitlines() if '"level":"error"' in line or "Traceback" in line
        ]:
            raise ReleaseError("manage.py up logged errors:\n" + "\n".join(errors))

    def image(self, name: str) -> str:
        return f"{self.source}/{name}:1.0"


def check(previous: Path, installation: Installation) -> Iterator[str]:
    """Run the check, and yield a description of each successful step. Raises ReleaseError."""
    installation.run(ROOT, "prepare")
    yield "this release has prepared the database"
    installation.run(previous, "prepare")
    installation.run(previous, "mirror", installation.image("first"))
    yield "the previous release has mirrored an image"
    with installation.running(previous) as webhook:
        _until_swapped(webhook, installation.image("second"))
    yield "the previous release has reviewed pods, and its worker has copied for them"
    installation.run(ROOT, "prepare")
    installation.run(ROOT, "mirror", *(installation.image(name) for name in ("first", "second", "third")))
    yield "this release continues with what it has written"


def _until_swapped(webhook: str, image: str) -> None:
    body = json.dumps(review_of(pod_of(image))).encode()
    url, headers = f"http://{webhook}/webhook", {"Content-Type": "application/json"}

    def is_swapped() -> bool:
        try:
            response = POOL.request("POST", url, body=body, headers=headers, retries=False, timeout=10)
        except urllib3.exceptions.HTTPError:
            return False
        return response.status == 200 and "patch" in response.json()["response"]

    wait_until(is_swapped, timeout=SWAP_SECONDS, what="a swapped pod")


@contextmanager
def _installation(database_url: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as temporary, MemoryRegistry() as source, MemoryRegistry() as target:
        directory = Path(temporary)
        for seed, name in enumerate(("first", "second", "third")):
            sample_image(seed=seed, layers=1, layer_bytes=1_000).load(source.storage, name, "1.0")
        config: dict[str, Any] = {
            "dryRun": False,
            "logFormat": "json",
            "source": {"registries": [{"type": "oci", "host": source.host, "insecure": True}]},
            "target": {"type": "oci", "oci": {"endpoint": target.host, "insecure": True}},
        }
        (directory / "config.yaml").write_text(yaml.safe_dump(config))
        yield Installation(directory, database_url or f"sqlite:///{directory}/swapper.sqlite3", source.host)


def previous_tag(repository: Path) -> str:
    """Return the tag of the newest release before this version; empty if there is none."""
    tags = _git(repository, "tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD")
    return next((tag for tag in tags.split() if tag != f"v{version_of(ROOT)}"), "")


def _git(repository: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True).stdout


def _extract(repository: Path, ref: str, directory: Path) -> None:
    archive = subprocess.run(["git", "-C", str(repository), "archive", ref], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that the previous release runs on the schema of this one.")
    parser.add_argument("--ref", default="", help="the previous release; default: the newest tag before this version")
    parser.add_argument("--repository", type=Path, default=ROOT, help="the git repository that has it")
    parser.add_argument("--sqlite-only", action="store_true", help="skip Postgres")
    options = parser.parse_args()
    try:
        ref = options.ref or previous_tag(options.repository)
        if not ref:
            print("There is no previous release: nothing has to run on the schema of this one.")
            return 0
        with tempfile.TemporaryDirectory() as previous, ExitStack() as stack:
            _extract(options.repository, ref, Path(previous))
            urls = {"SQLite": ""}
            if not options.sqlite_only:
                urls["Postgres"] = f"{stack.enter_context(running_server()).url}/postgres"
            for kind, url in urls.items():
                for step in check(Path(previous), stack.enter_context(_installation(url))):
                    print(f"{ref} on {kind}: {step}", flush=True)
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode() if isinstance(error.stderr, bytes) else error.stderr or str(error)
        print(f"The previous release cannot be read from git: {message.strip()}", file=sys.stderr)
        return 1
    except ReleaseError as error:
        print(f"{ref} does not run on the schema of this release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
