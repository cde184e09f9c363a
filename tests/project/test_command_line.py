"""Commands as operators use them: all have the same flags, and each error is one line."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swapper_project import __version__
from swapper_project.process.commands.command_line import apply_flags
from tests.support.databases import ROOT
from tests.support.migrating import migrated_sqlite
from tests.support.ports import free_port, wait_until
from tests.support.system import run_manage, write_config


def own_addresses() -> list[str]:
    """Return flags of `up` with free ports."""
    names = ("--listen-address", "--web-address", "--metrics-address")
    return [part for name in names for part in (name, f"127.0.0.1:{free_port()}")]


@pytest.mark.parametrize(
    ("arguments", "rest", "config"),
    [
        (["prepare", "--config", "/a.yaml"], ["prepare"], "/a.yaml"),
        (["--config=/a.yaml", "worker"], ["worker"], "/a.yaml"),
        (["mirror", "app:1", "--json"], ["mirror", "app:1", "--json"], "/before.yaml"),
        (["explain", "-", "--config", "/b.yaml", "--namespace", "x"], ["explain", "-", "--namespace", "x"], "/b.yaml"),
    ],
)
def test_shared_flags_are_passed_to_commands_in_the_environment(
    arguments: list[str], rest: list[str], config: str
) -> None:
    environ = {"SWAPPER_CONFIG": "/before.yaml"}

    assert apply_flags(["manage.py", *arguments], environ) == ["manage.py", *rest]
    assert environ["SWAPPER_CONFIG"] == config


def test_prepare_accepts_the_shared_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWAPPER_DATABASE_URL", raising=False)
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")

    run_manage("prepare", "--config", str(config), "--data-dir", str(tmp_path / "data"))

    assert list((tmp_path / "data").glob("*.sqlite3"))


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_the_version_is_shown_without_settings(argument: str) -> None:
    assert run_manage(argument).stdout == f"k8s-image-swapper {__version__}\n"


@pytest.mark.parametrize(
    ("command", "database"),
    [
        (["mirror", "docker.io/library/app:1"], "unreachable"),
        (["mirror", "docker.io/library/app:1"], "unprepared"),
        (["mirror", "docker.io/library/app:1"], "directory"),
        (["prepare"], "unreachable"),
        (["prepare"], "directory"),
        (["up"], "unreachable"),
        (["up"], "directory"),
    ],
)
def test_an_unusable_database_is_reported_without_a_traceback(
    tmp_path: Path, command: list[str], database: str
) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    url = {
        "unreachable": f"postgres://x:y@127.0.0.1:{free_port()}/x",
        "unprepared": f"sqlite:///{tmp_path}/new.sqlite3",
        "directory": f"sqlite:///{tmp_path}",
    }[database]

    flags = ["--no-tls", "--data-dir", str(tmp_path / "data"), *own_addresses()] if command == ["up"] else []

    result = run_manage(
        *command, *flags, "--config", str(config), environment={"SWAPPER_DATABASE_URL": url}, check=False
    )

    assert result.returncode not in (0, None)
    assert "Traceback" not in result.stderr
    assert "database" in result.stderr.lower()


@pytest.mark.parametrize(
    "command", [["up"], ["prepare"], ["config", "check"], ["mirror", "app:1"], ["web"], ["webhook"], ["worker"]]
)
@pytest.mark.parametrize("variable", ["SWAPPER_SECRET_KEY_FILE", "SWAPPER_WEBHOOK_TOKEN_FILE"])
def test_a_missing_file_is_reported_with_its_variable(tmp_path: Path, command: list[str], variable: str) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    environment = {"SWAPPER_SECRET_KEY": "", variable: f"{tmp_path}/missing"}
    flags = ["--config", str(config), "--data-dir", str(tmp_path / "data")]

    result = run_manage(*command, *flags, environment=environment, check=False)

    assert result.returncode == 2
    assert (
        f"{variable}: {tmp_path}/missing can't be read: No such file or directory; put the file there" in result.stderr
    )
    assert "is not set" not in result.stderr and "Traceback" not in result.stderr


def test_a_short_secret_key_is_reported_as_too_short(tmp_path: Path) -> None:
    result = run_manage(
        "prepare", "--data-dir", str(tmp_path), environment={"SWAPPER_SECRET_KEY": "short"}, check=False
    )

    assert result.stderr.startswith("SWAPPER_SECRET_KEY: has 5 characters; at least 32 are required. Generate one")


def test_config_check_needs_neither_database_nor_secret_key(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    environment = {"SWAPPER_SECRET_KEY": "", "SWAPPER_DATABASE_URL": f"postgres://x:y@127.0.0.1:{free_port()}/x"}

    shown = run_manage("config", "check", "--data-dir", str(tmp_path), str(config), environment=environment)

    assert "mirror.example.com" in shown.stdout


@pytest.mark.parametrize("flag", ["--listen-address", "--web-address"])
def test_a_port_in_use_is_reported_on_one_line(tmp_path: Path, flag: str) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = {
            name: f"127.0.0.1:{free_port()}" for name in ("--listen-address", "--web-address", "--metrics-address")
        }
        given = [part for pair in (flags | {flag: address}).items() for part in pair]

        result = run_manage("up", "--config", str(config), "--data-dir", str(tmp_path / "data"), *given, check=False)

    assert result.returncode == 2
    assert result.stderr.startswith(f"Cannot listen on {address}")
    assert f"with {flag}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_invalid_port_in_the_configuration_is_rejected(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com", listenAddress=":99999")

    result = run_manage("up", "--config", str(config), "--data-dir", str(tmp_path / "data"), check=False)

    assert result.returncode == 2
    assert "listenAddress" in result.stderr and "Traceback" not in result.stderr


def test_rejected_images_do_not_stop_the_others(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com")
    environment = {
        "SWAPPER_DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite3",
        "SWAPPER_SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%",
    }
    shutil.copy(migrated_sqlite(), tmp_path / "x.sqlite3")

    result = run_manage(
        *(
            "mirror",
            "--config",
            str(config),
            "--json",
            "--queue",
            "Not:::an image",
            "mirror.example.com/a/b:1",
            "nginx:1",
        ),
        environment=environment,
        check=False,
    )

    found = {entry["image"]: entry["status"] for entry in map(json.loads, result.stdout.splitlines())}
    assert found == {
        "Not:::an image": "refused",
        "mirror.example.com/a/b:1": "refused",
        "docker.io/library/nginx:1": "pending",
    }
    assert result.returncode == 1


def test_child_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    child = tmp_path / "child.pid"
    program = (
        "import sys; from swapper_project.process.supervisor import *;"
        f"Supervisor([Program('x', ['sh', '-c', 'echo $$ > {child}; exec sleep 300'], {{}})]).run()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        wait_until(lambda: child.exists() and child.read_text().strip(), what="the child")
        pid = int(child.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    def is_over() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    wait_until(is_over, what="the end of the child")
