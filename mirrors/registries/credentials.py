"""From a reference to a log-in: a file in the credentials directory, or a variable of the environment. No Django."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mirrors.oci import Credential

MAX_BYTES = 64 * 1024
# No other secret of the process may be sent to a registry, whoever writes the reference.
_VARIABLE = re.compile(r"SWAPPER_CRED_[A-Z0-9_]+")


class CredentialError(Exception):
    """The log-in can't be read now; the message says what is missing, and never the password."""


def resolve(
    username: str | None,
    password_file: str | None,
    password_env: str | None,
    credentials_dir: Path,
    environ: Mapping[str, str] | None = None,
    *,
    confined: bool = False,
) -> Credential | None:
    """The log-in that the references name, read anew at each call so that a rotated password counts at once.

    None without a username. A relative ``password_file`` lies below ``credentials_dir``; an absolute one is for the
    configuration file alone and is refused when ``confined``, as for what is entered in the admin.
    Raises :class:`CredentialError`.
    """
    if not username:
        return None
    if ":" in username:
        raise CredentialError(f"the user name {username!r} contains ':', which no registry log-in can have")
    if password_file:
        return Credential(username, _from_file(_locate(password_file, credentials_dir, confined=confined)))
    if password_env:
        return Credential(username, _from_variable(password_env, os.environ if environ is None else environ))
    raise CredentialError(f"no password is named for user {username!r}; give passwordFile or passwordEnv")


def _locate(name: str, directory: Path, *, confined: bool) -> Path:
    path = PurePosixPath(name)
    if ".." in path.parts or "\0" in name:
        raise CredentialError(f"password file {name!r} must not contain '..'")
    if path.is_absolute() and confined and not path.is_relative_to(directory.absolute()):
        raise CredentialError(f"password file {name!r} lies outside the credentials directory {directory}")
    return directory / path


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"password file {path} can't be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise CredentialError(f"password file {path} is larger than {MAX_BYTES // 1024} KiB; it should hold a password")
    try:
        password = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise CredentialError(f"password file {path} is no UTF-8 text") from None
    if not password:
        raise CredentialError(f"password file {path} is empty")
    return password


def _from_variable(name: str, environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise CredentialError(f"variable {name!r} may not hold a password; its name must start with SWAPPER_CRED_")
    password = environ.get(name, "")
    if not password:
        raise CredentialError(f"environment variable {name} is not set or empty; set it where this process runs")
    return password
