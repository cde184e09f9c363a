"""Credentials by reference: in a file in the credentials directory, an environment variable, or a Secret.

This module uses neither Django nor the Kubernetes API: callers that can read Secrets pass a function for that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mirrors.oci import Credential

MAX_BYTES = 64 * 1024
"""The largest size in bytes of a file with credentials, such as a Docker configuration with hundreds of registries."""

# Only these variables can be referenced, so that no other secret of the process can be sent to a registry.
_VARIABLE = re.compile(r"SWAPPER_CRED_[A-Z0-9_]+")


class CredentialError(Exception):
    """The credentials cannot be read now. The message describes what is missing, and never contains the password."""

    host: str = ""
    """The registry that the credentials are for, if it is known."""

    def __init__(self, message: str, *, says_step: bool = False) -> None:
        super().__init__(message)
        self.says_step = says_step
        """Whether the message itself describes what to do."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A username, and a reference to the password.

    ``file`` is relative to the credentials directory. Only the configuration file can name an absolute path outside
    that directory; ``is_confined`` refuses one, for references from the admin. ``secret`` is ``NAME/KEY`` in our own
    namespace.
    """

    username: str
    file: str | None = None
    variable: str | None = None
    secret: str | None = None
    is_confined: bool = False

    @classmethod
    def of_row(cls, username: str, text: str) -> Reference:
        """Return the reference of an operator's row: ``file:NAME``, ``env:NAME`` or ``secret:NAME/KEY``."""
        kind, _, name = text.partition(":")
        fields = {"file": "file", "env": "variable", "secret": "secret"}
        return cls(username, is_confined=True, **{fields[kind]: name} if kind in fields else {})


def resolve(
    reference: Reference,
    credentials_dir: Path,
    environ: Mapping[str, str] | None = None,
    *,
    read_secret: Callable[[str], str] | None = None,
) -> Credential:
    """Return the credentials. They are read at each call, so that a rotated password is used.

    Raises :class:`CredentialError`."""
    username = reference.username
    if ":" in username:
        raise CredentialError(f"the username {username!r} contains ':', which is not allowed")
    if reference.file:
        path = _locate(reference.file, credentials_dir, is_confined=reference.is_confined)
        return Credential(username, _from_file(path))
    if reference.variable:
        return Credential(username, _from_variable(reference.variable, os.environ if environ is None else environ))
    if reference.secret:
        if read_secret is None:
            raise CredentialError(f"Secret {reference.secret} can be read only by workers")
        return Credential(username, read_secret(reference.secret))
    raise CredentialError(
        f"no password is configured for user {username!r}; set passwordFile or passwordEnv", says_step=True
    )


def _locate(name: str, directory: Path, *, is_confined: bool) -> Path:
    path = PurePosixPath(name)
    if ".." in path.parts or "\0" in name:
        raise CredentialError(f"password file {name!r} must not contain '..'")
    if path.is_absolute() and is_confined and not path.is_relative_to(directory.absolute()):
        raise CredentialError(f"password file {name!r} is outside the credentials directory {directory}")
    return directory / path


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"password file {path} can't be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise CredentialError(
            f"password file {path} is larger than {MAX_BYTES // 1024} KiB; it should contain only a password"
        )
    try:
        password = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise CredentialError(f"password file {path} is not UTF-8 text") from None
    if not password:
        raise CredentialError(f"password file {path} is empty")
    return password


def _from_variable(name: str, environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise CredentialError(
            f"variable {name!r} cannot be used for a password; its name must start with SWAPPER_CRED_"
        )
    password = environ.get(name, "")
    if not password:
        raise CredentialError(
            f"environment variable {name} is not set or empty; set it where this process runs", says_step=True
        )
    return password
