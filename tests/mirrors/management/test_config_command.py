"""``manage.py config check`` as operators run it: as a process, without database and secret key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.config.examples import CHART_DEFAULTS, GCP

ROOT = Path(__file__).resolve().parents[3]


def check(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SWAPPER_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "config", "check", *arguments],
        env={**ours, "HOME": str(home), "SWAPPER_DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_valid_file_prints_the_effective_configuration_and_warnings(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CHART_DEFAULTS)
    done = check(str(file), home=tmp_path)
    assert done.returncode == 0, done.stderr
    effective = yaml.safe_load(done.stdout)
    assert effective["target"]["aws"]["region"] == "ap-southeast-2"
    assert effective["imageCopyDeadline"] == "8s"
    assert done.stderr.startswith("warning: accountId 12345678 is the placeholder")


def test_an_invalid_file_prints_one_problem_per_line_and_exits_with_2(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GCP + "dryRn: true\nimageCopyDeadline: 8\n")
    done = check(str(file), home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{file}:8: dryRn: is an unknown key; did you mean dryRun?",
        f"{file}:9: imageCopyDeadline: must be a duration with its unit, such as 300ms, 8s, 1m30s or 24h",
    ]


def test_missing_files_are_reported_with_all_other_problems(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GCP + "trustedCA: /no/such.pem\ndryRn: true\nexistence: {maxAge: 2h, maxStale: 1h}\n")
    done = check(str(file), home=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{file}:8: trustedCA: /no/such.pem can't be read: No such file or directory; put the file there, or correct "
        "its name",
        f"{file}:9: dryRn: is an unknown key; did you mean dryRun?",
        f"{file}:10: existence: maxStale must not be shorter than maxAge",
    ]


def test_without_an_argument_the_default_file_is_checked(tmp_path: Path) -> None:
    missing = check(home=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr.startswith("No configuration file")
    (tmp_path / ".k8s-image-swapper.yaml").write_text(GCP)
    found = check(home=tmp_path)
    assert yaml.safe_load(found.stdout)["target"]["type"] == "gcp"
