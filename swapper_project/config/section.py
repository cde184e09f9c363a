"""What every section of the file has in common, and the log-in that two of them take."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from swapper_project.config.values import CredentialVariable, DialAddress, FileName


class Section(BaseModel):
    """A mapping of the file: its keys in camelCase, unknown ones refused, nothing converted in silence."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class Reach(Section):
    """How a registry is reached."""

    ca_file: FileName | None = Field(default=None, description="Certificate authorities (PEM) beside the system's.")
    connect_to: DialAddress | None = Field(
        default=None,
        description="host[:port] that is dialled in place of the registry's own host, such as a VPC endpoint.",
    )


class LogIn(Reach):
    """A registry, and where its password is found. The password itself never stands in the file."""

    username: str | None = Field(default=None, min_length=1)
    password_file: FileName | None = Field(
        default=None, description="File with the password; a relative name lies below the credentials directory."
    )
    password_env: CredentialVariable | None = Field(
        default=None, description="Environment variable of the worker with the password: SWAPPER_CRED_…"
    )
    insecure: bool = Field(default=False, description="Talk plain HTTP to this registry.")

    @property
    def password_references(self) -> dict[str, str | None]:
        """The keys that may say where the password is."""
        return {"passwordFile": self.password_file, "passwordEnv": self.password_env}

    @model_validator(mode="after")
    def _password_is_told_once(self) -> Self:
        given = [key for key, value in self.password_references.items() if value]
        keys = list(self.password_references)
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} are both given; keep one")
        if self.username and not given:
            raise ValueError(f"username needs {', '.join(keys[:-1])} or {keys[-1]} beside it")
        if given and not self.username:
            raise ValueError(f"{given[0]} needs username beside it")
        if self.password_file and ".." in self.password_file.split("/"):
            raise ValueError("passwordFile must not contain '..'")
        return self
