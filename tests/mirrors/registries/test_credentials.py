"""Credentials by reference: found, read again after changes, and with clear errors if something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrors.registries.credentials import CredentialError, Reference, resolve


def test_a_relative_password_file_is_read_from_the_credentials_directory(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("s3cret\n")
    credential = resolve(Reference("me", "hub"), tmp_path, {})
    assert (credential.username, credential.password) == ("me", "s3cret")
    assert "s3cret" not in repr(credential)


def test_the_password_is_read_again_at_each_call(tmp_path: Path) -> None:
    for password in ("old", "new"):
        (tmp_path / "hub").write_text(password)
        credential = resolve(Reference("me", "hub"), tmp_path, {})
        assert credential.password == password


def test_only_the_trailing_newline_is_removed(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(b' {\n "a": 1\n}\r\n')
    credential = resolve(Reference("_json_key", "key.json"), tmp_path, {})
    assert credential.password == ' {\n "a": 1\n}'


def test_the_password_can_come_from_an_environment_variable(tmp_path: Path) -> None:
    credential = resolve(Reference("me", None, "SWAPPER_CRED_HUB"), tmp_path, {"SWAPPER_CRED_HUB": "s3cret"})
    assert credential.password == "s3cret"


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAPPER_CRED_HUB", "from-process")
    credential = resolve(Reference("me", None, "SWAPPER_CRED_HUB"), tmp_path)
    assert credential.password == "from-process"


def test_a_confined_reference_cannot_use_a_file_outside_the_directory(tmp_path: Path) -> None:
    inside, outside = tmp_path / "credentials", tmp_path / "elsewhere"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "hub").write_text("s3cret")
    assert resolve(Reference("me", str(outside / "hub")), inside, {}).password
    assert resolve(Reference("me", str(inside / "hub"), is_confined=True), inside, {}).password
    with pytest.raises(CredentialError, match="outside the credentials directory"):
        resolve(Reference("me", str(outside / "hub"), is_confined=True), inside, {})


@pytest.mark.parametrize("name", ["../hub", "a/../../hub", "hub\0"])
def test_path_traversal_is_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"must not contain '\.\.'"):
        resolve(Reference("me", name), tmp_path, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "UTF-8"),
        (b"x" * 70_000, "larger"),
    ],
)
def test_an_invalid_password_file_is_reported_with_its_path(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "hub").write_bytes(content)
    with pytest.raises(CredentialError, match=message) as caught:
        resolve(Reference("me", "hub"), tmp_path, {})
    assert str(tmp_path / "hub") in str(caught.value)


def test_a_directory_is_rejected_as_a_password_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="can't be read: Is a directory"):
        resolve(Reference("me", "."), tmp_path, {})


@pytest.mark.parametrize("environ", [{}, {"SWAPPER_CRED_HUB": ""}])
def test_an_unset_or_empty_variable_is_reported_by_name(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="SWAPPER_CRED_HUB is not set or empty"):
        resolve(Reference("me", None, "SWAPPER_CRED_HUB"), tmp_path, environ)


def test_variables_without_the_credential_prefix_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="must start with SWAPPER_CRED_") as caught:
        resolve(Reference("me", None, "SWAPPER_SECRET_KEY"), tmp_path, {"SWAPPER_SECRET_KEY": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_username_without_a_password_or_with_a_colon_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="no password is configured for user 'me'"):
        resolve(Reference("me"), tmp_path, {})
    with pytest.raises(CredentialError, match="contains ':'"):
        resolve(Reference("me:you", "hub"), tmp_path, {})
