"""Types of the values in the configuration file: account numbers, policies, host names. Types with a unit are in
`quantities.py`."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)

from mirrors.filters import InvalidFilterError, compile_filter
from mirrors.images import normalise_host
from swapper_project.config.text.document import Number

PLACEHOLDER_ACCOUNT = "12345678"


def account_id(value: object, info: ValidationInfo) -> str:
    """Return the 12 digits of an AWS account. YAML and Helm drop leading zeros of numbers, so they are restored."""
    warnings: list[str] = (info.context or {}).get("warnings", [])
    if isinstance(value, str):
        digits = value
    elif isinstance(value, Number) and value.text.isdecimal():
        digits = value.text
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**12 and value == int(value):
        digits = str(int(value))
    else:
        raise ValueError("must be the 12 digits of an AWS account, in quotes")
    if digits == PLACEHOLDER_ACCOUNT:
        warnings.append(
            f"accountId {digits} is the placeholder of the chart's defaults, not an AWS account: nothing can be "
            "mirrored until target.aws.accountId is set to yours"
        )
        return digits
    if not isinstance(value, str) and len(digits) < 12:
        warnings.append(
            f"accountId {digits} is a number of fewer than 12 digits; it is interpreted as {digits.zfill(12)}, with "
            "the leading zeros that YAML drops. Write it in quotes"
        )
        digits = digits.zfill(12)
    if not re.fullmatch(r"[0-9]{12}", digits):
        raise ValueError(f"must be the 12 digits of an AWS account, not {digits[:40]!r}")
    return digits


def plain_text(value: object) -> object:
    """Return numbers as text, as written in the file: tags and labels are text, but often consist of digits."""
    if isinstance(value, Number):
        return value.text
    return str(value) if isinstance(value, float) else value


def policy(value: str) -> str:
    """Check a policy document, which the cloud's API expects as JSON text."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        place = f" in its line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"must be a policy in JSON; it is not{place}") from None
    if not isinstance(document, dict):
        raise ValueError("must be a policy in JSON: an object in braces")
    return value


def _policy_text(value: object) -> object:
    if isinstance(value, dict):
        raise ValueError("must be JSON as text; write it after a '|' and indent it")
    return value


def _filter(value: str) -> str:
    try:
        compile_filter("filter", value)
    except InvalidFilterError as error:
        raise ValueError(f"the filter does not compile: {error}") from None
    return value


def _host_pattern(value: str) -> str:
    """Normalise a host, ``*.`` and a domain, or ``*``."""
    if value == "*":
        return value
    return f"*.{normalise_host(value[2:])}" if value.startswith("*.") else normalise_host(value)


def _pattern(expression: str, message: str) -> Any:
    compiled = re.compile(expression)

    def check(value: str) -> str:
        if len(value) > 512 or not compiled.fullmatch(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)


AccountId = Annotated[
    str,
    BeforeValidator(account_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^([0-9]{{12}}|{PLACEHOLDER_ACCOUNT})$"},
                {"type": "number", "minimum": 0},
            ]
        }
    ),
]
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
PlainText = Annotated[
    str, BeforeValidator(plain_text), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
]
Policy = Annotated[str, BeforeValidator(_policy_text), AfterValidator(policy)]
JmesPath = Annotated[str, AfterValidator(_filter)]
Host = Annotated[str, AfterValidator(normalise_host)]
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
FileName = Annotated[str, _pattern(r"[^\0\n]+", "must be the name of a file")]
ListenAddress = Annotated[
    str,
    _pattern(rf"([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):{_PORT}", "must be an address and port, 1 to 65535, such as :8443"),
]
DialAddress = Annotated[
    str,
    _pattern(rf"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:{_PORT})?", "must be a host, or host:port from 1 to 65535"),
]
KmsKeyName = Annotated[
    str,
    _pattern(
        r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+",
        "must be the name of a key: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
    ),
]
Platform = Annotated[
    str, _pattern(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?", "must be a platform such as linux/amd64 or linux/arm/v7")
]
AUTO: Final = "auto"
"""The value of ``platforms`` that means the platforms of the clusters' nodes."""


def _tag_of_platforms(value: object) -> str:
    """Return the tag of the alternative for a value. Any text but ``auto`` is rejected because it is not a list."""
    return "<auto>" if isinstance(value, str) and value.strip().lower() == AUTO else "<list>"


Platforms = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")] | Annotated[tuple[Platform, ...], Tag("<list>")],
    Discriminator(_tag_of_platforms),
]
Region = Annotated[
    str, _pattern(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}", "must be the name of an AWS region, such as eu-central-1")
]
Role = Annotated[
    str,
    _pattern(
        r"arn:[a-z-]+:iam::[0-9]{12}:role/[!-~]+", "must be the ARN of a role: arn:aws:iam::123456789012:role/name"
    ),
]
Location = Annotated[
    str,
    _pattern(r"[a-z]+(-[a-z]+)*[0-9]{0,2}", "must be a location of Artifact Registry, such as us-central1 or europe"),
]
ProjectId = Annotated[
    str,
    _pattern(
        r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{2,28}[a-z0-9]",
        "must be the ID of a Google Cloud project: a-z, 0-9 and -, after its domain and a colon if it has one",
    ),
]
RepositoryId = Annotated[
    str,
    _pattern(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "must be the ID of an Artifact Registry repository: a-z, 0-9 and -"),
]
CredentialVariable = Annotated[
    str,
    _pattern(
        r"SWAPPER_CRED_[A-Z0-9_]+",
        "must name an environment variable that starts with SWAPPER_CRED_ (so that no other secret of the process "
        "can be sent to a registry)",
    ),
]
SecretKey = Annotated[
    str,
    _pattern(
        r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]{1,253}",
        "must be NAME/KEY: the name of a Secret, and the key in it that holds the password",
    ),
]
Namespace = Annotated[
    str, _pattern(r"\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "must be the name of a namespace, or '*' for all")
]
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NamespaceName = Annotated[str, _pattern(_LABEL, "must be the name of a namespace")]
ClusterName = Annotated[
    str, _pattern(_LABEL, "must be a name of at most 63 lowercase letters, digits and hyphens, such as production")
]
