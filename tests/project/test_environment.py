"""Process settings: defaults, values from files, and the error for a setting that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from swapper_project.process import environment as env
from swapper_project.process.environment import EnvironmentProblem

HOME = {"HOME": "/home/operator"}
KEY = "k" * 50


def problems(**variables: str) -> list[str]:
    with pytest.raises(EnvironmentProblem) as caught:
        env.read(HOME | {f"SWAPPER_{name}": value for name, value in variables.items()})
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_an_empty_environment_has_usable_defaults() -> None:
    environment = env.read(HOME)
    assert environment.role == "all"
    assert environment.data_dir == Path("/home/operator/.local/share/k8s-image-swapper")
    assert environment.credentials_dir == environment.data_dir / "credentials"
    assert environment.database_url == f"sqlite:///{environment.data_dir}/swapper.sqlite3"
    assert environment.secret_key is None
    assert environment.webhook_token is None
    assert (environment.allowed_hosts, environment.trusted_proxies, environment.external_url) == ((), (), "")
    assert (environment.swap, environment.swap_file, environment.debug) == (True, None, False)
    assert environment.webhook_timeout == 10.0
    assert (environment.config, environment.config_overrides) == (None, {})


def test_every_variable_is_read() -> None:
    environment = env.read(
        {
            "SWAPPER_ROLE": "webhook",
            "SWAPPER_DATA_DIR": "/data",
            "SWAPPER_CREDENTIALS_DIR": "/run/credentials",
            "SWAPPER_DATABASE_URL": "postgres://u:p@h/n",
            "SWAPPER_SECRET_KEY": KEY,
            "SWAPPER_ALLOWED_HOSTS": "a.example, b.example,",
            "SWAPPER_EXTERNAL_URL": "https://swapper.example:8443/",
            "SWAPPER_SWAP": "off",
            "SWAPPER_SWAP_FILE": "/etc/switch/swap",
            "SWAPPER_WEBHOOK_TOKEN": "t" * 32,
            "SWAPPER_WEBHOOK_TIMEOUT_SECONDS": "2.5",
            "SWAPPER_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1, 2001:db8::/32",
            "SWAPPER_CONFIG": "/etc/swapper.yaml",
            "SWAPPER_CONFIG_OVERRIDES": '{"dryRun": false}',
            "SWAPPER_DEBUG": "on",
        }
    )
    assert (environment.role, environment.data_dir, environment.credentials_dir) == (
        "webhook",
        Path("/data"),
        Path("/run/credentials"),
    )
    assert (environment.database_url, environment.secret_key) == ("postgres://u:p@h/n", KEY)
    assert environment.allowed_hosts == ("a.example", "b.example")
    assert environment.external_url == "https://swapper.example:8443"
    assert (environment.swap, environment.swap_file) == (False, Path("/etc/switch/swap"))
    assert (environment.webhook_token, environment.webhook_timeout) == ("t" * 32, 2.5)
    assert environment.trusted_proxies == ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")
    assert (environment.config, environment.config_overrides) == (Path("/etc/swapper.yaml"), {"dryRun": False})
    assert environment.debug is True


def test_repr_contains_no_secrets() -> None:
    environment = env.read(
        HOME
        | {
            "SWAPPER_SECRET_KEY": KEY,
            "SWAPPER_WEBHOOK_TOKEN": "t" * 32,
            "SWAPPER_DATABASE_URL": "postgres://u:hunter2@h/n",
        }
    )
    assert not any(secret in repr(environment) for secret in (KEY, "t" * 32, "hunter2"))


def test_values_can_be_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "value"
    for name, content, attribute in (
        ("SECRET_KEY", KEY + "\n", KEY),
        ("DATABASE_URL", "postgres://u:p@h/n\n", "postgres://u:p@h/n"),
        ("WEBHOOK_TOKEN", "t" * 16, "t" * 16),
        ("ROLE", "worker\n", "worker"),
    ):
        file.write_text(content)
        assert getattr(env.read(HOME | {f"SWAPPER_{name}_FILE": str(file)}), name.lower()) == attribute


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    environment = env.read(
        HOME | {"SWAPPER_ROLE": "", "SWAPPER_SECRET_KEY": "", "SWAPPER_SECRET_KEY_FILE": f"{tmp_path}/key"}
    )
    assert (environment.role, environment.secret_key) == ("all", KEY)


def test_a_variable_and_its_file_variable_together_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    assert problems(SECRET_KEY=KEY, SECRET_KEY_FILE=f"{tmp_path}/key") == [
        "SWAPPER_SECRET_KEY and SWAPPER_SECRET_KEY_FILE are both set; unset one of them"
    ]


def test_unusable_files_are_reported_with_their_variables(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    files = {"SECRET_KEY": "missing", "WEBHOOK_TOKEN": "empty", "ADMIN_PASSWORD": "binary", "BIND": ""}
    assert set(problems(**{f"{name}_FILE": f"{tmp_path}/{file}" for name, file in files.items()})) == {
        f"SWAPPER_SECRET_KEY_FILE: {tmp_path}/missing can't be read: No such file or directory; put the file there, "
        "correct its name, or unset SWAPPER_SECRET_KEY_FILE",
        f"SWAPPER_WEBHOOK_TOKEN_FILE: {tmp_path}/empty is empty; write the value of SWAPPER_WEBHOOK_TOKEN into it",
        f"SWAPPER_ADMIN_PASSWORD_FILE: {tmp_path}/binary is not UTF-8 text; write the value of SWAPPER_ADMIN_PASSWORD "
        "into it",
        f"SWAPPER_BIND_FILE: {tmp_path}/ can't be read: Is a directory; name a file, or unset SWAPPER_BIND_FILE",
    }


def test_the_kill_switch_file_is_separate_from_the_swap_variable() -> None:
    environment = env.read(HOME | {"SWAPPER_SWAP": "off", "SWAPPER_SWAP_FILE": "/not/there"})
    assert (environment.swap, environment.swap_file) == (False, Path("/not/there"))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ROLE", "admin", "'admin' is not one of webhook, web, worker, watcher, all"),
        ("WEBHOOK_TIMEOUT_SECONDS", "soon", "Not a valid number"),
        ("WEBHOOK_TIMEOUT_SECONDS", "0", "must be from 1 to 30"),
        ("WEBHOOK_TIMEOUT_SECONDS", "31", "must be from 1 to 30"),
        ("WEBHOOK_TIMEOUT_SECONDS", "nan", "must be from 1 to 30|Special numeric values"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "'proxy' is not a valid address or CIDR"),
        ("CONFIG_OVERRIDES", "{", "Not valid JSON"),
        ("CONFIG_OVERRIDES", "[1]", "must be a JSON object"),
        ("SWAP", "maybe", "'maybe' is neither on nor off"),
        ("DEBUG", "2", "'2' is neither on nor off"),
        ("EXTERNAL_URL", "swapper.example", "must be the address of the dashboard"),
        ("EXTERNAL_URL", "https://swapper.example/path", "must be the address of the dashboard"),
        ("EXTERNAL_URL", "https://user@swapper.example", "must be the address of the dashboard"),
        ("EXTERNAL_URL", "https://[::1", "must be the address of the dashboard"),
        ("CONFIG", "dryRun: true\ntarget:\n", "must be a path, in one line"),
    ],
)
def test_an_invalid_value_is_reported_with_its_variable_and_reason(name: str, value: str, problem: str) -> None:
    [line] = problems(**{name: value})
    assert line.startswith(f"SWAPPER_{name}: ")
    assert any(part in line for part in problem.split("|"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hunter2"),
        ("WEBHOOK_TOKEN", "hunter2/hunter2/hunter2"),
        ("DATABASE_URL", "mysql://u:hunter2@h/n"),
    ],
)
def test_an_invalid_secret_is_not_shown_in_the_error(name: str, value: str) -> None:
    [line] = problems(**{name: value})
    assert line.startswith(f"SWAPPER_{name}: ")
    assert "hunter2" not in line


def test_all_problems_are_reported_together() -> None:
    reported = problems(ROLE="x", DEBUG="x", WEBHOOK_TIMEOUT_SECONDS="x", SECRET_KEY_FILE="/not/there")
    assert len(reported) == 4


def test_the_data_directory_follows_xdg_data_home_and_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert env.read(HOME | {"XDG_DATA_HOME": "/xdg"}).data_dir == Path("/xdg/k8s-image-swapper")
    monkeypatch.chdir(tmp_path)
    relative = env.read({"SWAPPER_DATA_DIR": "data"})
    assert relative.data_dir == tmp_path / "data"
    assert relative.database_url == f"sqlite:///{tmp_path}/data/swapper.sqlite3"


def test_without_home_the_data_directory_must_be_set() -> None:
    with pytest.raises(EnvironmentProblem, match="SWAPPER_DATA_DIR is not set"):
        env.read({})
