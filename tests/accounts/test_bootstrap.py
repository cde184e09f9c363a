"""The first user, its password, and authentication backends: settings that work, and settings that prevent the
start."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import ROOT, query
from tests.support.system import PRODUCT, run_manage, write_config

CHECK = """
from django.contrib.auth.models import User
[user] = User.objects.all()
print(user.username, user.is_superuser, user.check_password({password!r}))
"""


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com:5000")
    return {"SWAPPER_CONFIG": str(config), "SWAPPER_DATA_DIR": str(tmp_path), "SWAPPER_DATABASE_URL": database_url}


def is_admin(environment: dict[str, str], password: str) -> bool:
    result = run_manage("shell", "-v0", "-c", CHECK.format(password=password), environment=environment)
    return result.stdout.split() == ["admin", "True", "True"]


def test_the_generated_password_is_in_a_private_file_and_not_logged(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "admin-password"
    result = run_manage("prepare", "--admin-password-file", str(file), environment=environment)
    password = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert password not in result.stdout + result.stderr and len(password) >= 20
    assert is_admin(environment, password)

    run_manage("prepare", "--admin-password-file", str(file), environment=environment)
    assert file.read_text().strip() == password


def test_the_generated_password_is_printed_to_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "admin-password"
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "manage.py", "prepare", "--admin-password-file", str(file)],
        cwd=ROOT,
        env={**os.environ, **PRODUCT, **environment},
        stdout=theirs,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    assert file.read_text().strip() in os.read(ours, 10_000).decode()
    os.close(ours)


def test_a_configured_password_is_used_only_when_the_user_is_created(
    environment: dict[str, str], tmp_path: Path
) -> None:
    secret, file = tmp_path / "secret", tmp_path / "admin-password"
    secret.write_text("given by a secret\n")
    given = {"SWAPPER_ADMIN_PASSWORD_FILE": str(secret)}
    result = run_manage("prepare", "--admin-password-file", str(file), environment=environment | given)
    assert "given by a secret" not in result.stdout + result.stderr
    assert not file.exists()
    assert is_admin(environment, "given by a secret")

    run_manage("prepare", environment=environment | {"SWAPPER_ADMIN_PASSWORD": "another one, later"})
    assert is_admin(environment, "given by a secret"), "it counts when the user is made"


def test_a_weak_admin_password_is_rejected_with_the_requirements(environment: dict[str, str]) -> None:
    result = run_manage("prepare", environment=environment | {"SWAPPER_ADMIN_PASSWORD": "hunter2"}, check=False)
    assert result.returncode != 0
    assert "SWAPPER_ADMIN_PASSWORD is not accepted" in result.stderr and "at least 12" in result.stderr
    assert "hunter2" not in result.stderr
    assert query(environment["SWAPPER_DATABASE_URL"], "SELECT count(*) FROM auth_user") == [(0,)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nobody.has.Backend", "can't be loaded"),
        ("pathlib.Path", "is not a Django authentication backend"),
        ("x", "is not a valid class"),
    ],
)
def test_an_invalid_authentication_backend_is_rejected(path: str, words: str) -> None:
    result = run_manage("check", environment={"SWAPPER_AUTHENTICATION_BACKENDS": path}, check=False)
    assert result.returncode != 0
    assert "SWAPPER_AUTHENTICATION_BACKENDS: " in result.stderr and words in result.stderr


def test_configured_authentication_backends_precede_the_model_backend() -> None:
    backend = "django.contrib.auth.backends.RemoteUserBackend"
    program = "from django.conf import settings; print(*settings.AUTHENTICATION_BACKENDS)"
    environment = {"SWAPPER_AUTHENTICATION_BACKENDS": backend}
    assert run_manage("shell", "-v0", "-c", program, environment=environment).stdout.split() == [
        "axes.backends.AxesStandaloneBackend",
        backend,
        "django.contrib.auth.backends.ModelBackend",
    ]
