"""All commands accept `--config` and `--data-dir` and show them in their help. A command that accepts neither reports
that."""

from __future__ import annotations

from pathlib import Path

import pytest

from swapper_project.process.commands.command_line import COMMANDS_WITHOUT_FLAGS, FLAGS
from tests.config.examples import GCP
from tests.support.databases import ROOT
from tests.support.system import run_manage, write_config

COMMANDS: dict[str, list[str]] = {
    "backfill": ["backfill", "--dry-run"],
    "config": ["config", "check"],
    "explain": ["explain", "-"],
    "mirror": ["mirror", "docker.io/library/app:1"],
    "policies": ["policies"],
    "prepare": ["prepare"],
    "readiness": ["readiness"],
    "up": ["up"],
    "watch": ["watch"],
    "web": ["web"],
    "webhook": ["webhook"],
    "worker": ["worker"],
}
WITHOUT_FILE = {name: [name] for name in ("activate_webhook", "setup_secrets", "webhook_certs")}
"""Commands that accept the flags, but read no configuration."""

SECRET_KEY = {"SWAPPER_SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%"}


def test_every_command_is_covered() -> None:
    files = ROOT.glob("*/management/commands/[a-z]*.py")

    assert {file.stem for file in files} == {*COMMANDS, *WITHOUT_FILE, *COMMANDS_WITHOUT_FLAGS}


@pytest.mark.parametrize("arguments", [["config"], *COMMANDS.values(), *WITHOUT_FILE.values()], ids=" ".join)
def test_help_shows_the_shared_flags(arguments: list[str]) -> None:
    shown = run_manage(*[part for part in arguments if part != "-"], "--help").stdout

    assert all(f"  {flag} " in shown for flag in FLAGS), shown


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_the_config_flag_overrides_the_environment(name: str, place: str, tmp_path: Path) -> None:
    flags = ["--config", str(tmp_path / "no-such-file.yaml"), "--data-dir", str(tmp_path)]
    arguments = [*flags, *COMMANDS[name]] if place == "before" else [*COMMANDS[name], *flags]
    set_before = str(write_config(tmp_path / "set-before.yaml", target="mirror.example.com"))

    result = run_manage(*arguments, environment={**SECRET_KEY, "SWAPPER_CONFIG": set_before}, check=False)

    assert result.returncode == 2, result.stderr
    assert f"{tmp_path}/no-such-file.yaml" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("how", ["--config", "SWAPPER_CONFIG", "positional"])
def test_config_check_reads_the_named_file(how: str, tmp_path: Path) -> None:
    named = tmp_path / "named.yaml"
    named.write_text(GCP)
    arguments = {"--config": ["--config", str(named)], "positional": [str(named)]}.get(how, [])
    environment = {"SWAPPER_CONFIG": str(named)} if how == "SWAPPER_CONFIG" else {}

    shown = run_manage("config", "check", *arguments, environment={**environment, "HOME": str(tmp_path)})

    assert "type: gcp" in shown.stdout


@pytest.mark.parametrize("name", COMMANDS_WITHOUT_FLAGS)
@pytest.mark.parametrize("flag", FLAGS)
def test_a_command_without_shared_flags_rejects_them(name: str, flag: str, tmp_path: Path) -> None:
    result = run_manage(name, flag, str(tmp_path), check=False)

    assert result.returncode == 2
    assert result.stderr.startswith(f"{name} accepts neither --config nor --data-dir: ")
    assert len(result.stderr.splitlines()) == 1


def test_an_empty_path_is_rejected() -> None:
    result = run_manage("prepare", "--config", "", check=False)

    assert result.returncode == 2
    assert "--config: needs a path" in result.stderr
