"""What every section of the file has in common, and the log-in that two of them take."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from swapper_project.config.values import CredentialVariable, FileName


class Section(BaseModel):
    """A mapping of the file: its keys in camelCase, unknown ones refused, nothing converted in silence."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class LogIn(Section):
    """How a registry is reached and where its password is found. The password itself never stands in the file."""

    username: str | None = Field(default=None, min_length=1)
    password_file: FileName | None = Field(
        default=None, description="File with the password; a relative name lies below the credentials directory."
    )
    password_env: CredentialVariable | None = Field(
        default=None, description="Environment variable of the worker with the password: SWAPPER_CRED_…"
    )
    insecure: bool = Field(default=False, description="Talk plain HTTP to this registry.")
    ca_file: FileName | None = Field(default=None, description="Certificate authorities (PEM) beside the system's.")

    @model_validator(mode="after")
    def _password_is_told_once(self) -> Self:
        if self.password_file and self.password_env:
            raise ValueError("passwordFile and passwordEnv are both given; keep one")
        if self.username and not (self.password_file or self.password_env):
            raise ValueError("username needs passwordFile or passwordEnv beside it")
        if not self.username and (self.password_file or self.password_env):
            raise ValueError("passwordFile and passwordEnv need username beside them")
        if self.password_file and ".." in self.password_file.split("/"):
            raise ValueError("passwordFile must not contain '..'")
        return self
