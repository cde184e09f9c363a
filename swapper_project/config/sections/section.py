"""The base class of all sections of the file, and the base classes of sections that describe a registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mirrors.images import MAX_REPOSITORY, InvalidReferenceError, TargetName
from swapper_project.config.sections.values import CredentialVariable, DialAddress, FileName


class Section(BaseModel):
    """A mapping in the file. Keys are in camelCase, unknown keys are rejected, and values are not converted."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield problems between keys. ``values`` has the keys and values of the file. Its values can be invalid, which
        is reported separately."""
        yield from ()


class RegistryConnection(Section):
    """How to connect to a registry."""

    ca_file: FileName | None = Field(
        default=None, description="Certificate authorities (PEM) in addition to the system's."
    )
    connect_to: DialAddress | None = Field(
        default=None,
        description="host[:port] that is used in place of the registry's own host, such as a VPC endpoint.",
    )


class RegistryWithCredentials(RegistryConnection):
    """A registry, and a reference to its password. The password itself is never in the file."""

    username: str | None = Field(default=None, min_length=1)
    password_file: FileName | None = Field(
        default=None, description="File with the password; a relative name is below the credentials directory."
    )
    password_env: CredentialVariable | None = Field(
        default=None, description="Environment variable of the worker with the password: SWAPPER_CRED_…"
    )
    insecure: bool = Field(default=False, description="Use plain HTTP for this registry.")

    @classmethod
    def password_keys(cls) -> tuple[str, ...]:
        """Return the keys that can specify the location of the password."""
        return ("passwordFile", "passwordEnv")

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        keys = cls.password_keys()
        set_keys = [key for key in keys if values.get(key)]
        if len(set_keys) > 1:
            yield f"{set_keys[0]} and {set_keys[1]} are both set; keep one"
        if values.get("username") and not set_keys:
            yield f"username also needs {', '.join(keys[:-1])} or {keys[-1]}"
        if set_keys and not values.get("username"):
            yield f"{set_keys[0]} also needs username"
        if ".." in str(values.get("passwordFile", "")).split("/"):
            yield "passwordFile must not contain '..'"


def prefix_problems(values: Mapping[str, Any], max_length: int = MAX_REPOSITORY) -> Iterator[str]:
    """Yield a problem if the prefix cannot be a part of an image name."""
    try:
        TargetName("registry.example.com", str(values.get("prefix", "")), max_length)
    except InvalidReferenceError as error:
        yield str(error)
