"""Host names of the clouds' registries: built from account and region, and parsed. Pure, except for botocore's data.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html and its pages on FIPS and dual-stack endpoints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

EcrKind = Literal["standard", "dualstack", "fips", "fips-dualstack"]
ECR_KINDS: Final[tuple[EcrKind, ...]] = get_args(EcrKind)

_SERVICES: Final[dict[EcrKind, str]] = {
    "standard": "dkr.ecr",
    "dualstack": "dkr-ecr",
    "fips": "dkr.ecr-fips",
    "fips-dualstack": "dkr-ecr-fips",
}
_ECR: Final = re.compile(r"(?P<account>[0-9]{12})\.(?P<service>dkr[.-]ecr(?:-fips)?)\.(?P<region>[a-z0-9-]+)\..+")


@dataclass(frozen=True, slots=True)
class EcrHost:
    """A private registry of Amazon ECR, with the kind of host name that named it."""

    account: str
    region: str
    kind: EcrKind


@dataclass(frozen=True, slots=True)
class _Partition:
    name: str
    regions: re.Pattern[str]
    domain: str
    dual_stack_domain: str


def ecr_host(account: str, region: str, kind: EcrKind = "standard") -> str:
    """Return the host of an account's registry, in the domain of the region's partition."""
    partition = _partition_of(region)
    domain = partition.dual_stack_domain if kind.endswith("dualstack") else partition.domain
    return f"{account}.{_SERVICES[kind]}.{region}.{domain}"


def ecr_hosts(account: str, region: str) -> dict[EcrKind, str]:
    """Return all host names of one registry by their kind."""
    return {kind: ecr_host(account, region, kind) for kind in ECR_KINDS}


def parse_ecr_host(host: str) -> EcrHost | None:
    """Return the ECR registry of a host name; None if it is not a host name of ECR in any partition."""
    match = _ECR.fullmatch(host)
    if match is None:
        return None
    hosts = ecr_hosts(match["account"], match["region"])
    return next(
        (EcrHost(match["account"], match["region"], kind) for kind, name in hosts.items() if name == host), None
    )


def ecr_arn(account: str, region: str, repository: str) -> str:
    """Return the ARN of a repository, as IAM policies name it."""
    return f"arn:{_partition_of(region).name}:ecr:{region}:{account}:repository/{repository}"


def gar_host(location: str) -> str:
    """Return the host of a location (a region, or a multi-region such as ``europe``) of Google Artifact Registry."""
    return f"{location}-docker.pkg.dev"


def _partition_of(region: str) -> _Partition:
    """Return the partition of a region. A region that matches none is newer than botocore, and most likely belongs to
    the first one."""
    partitions = _partitions()
    return next((p for p in partitions if p.regions.fullmatch(region)), partitions[0])


@cache
def _partitions() -> tuple[_Partition, ...]:
    return tuple(_read_partitions())


def _read_partitions() -> Iterator[_Partition]:
    """Read the partitions from botocore's file, but do not import botocore, which webhooks of other targets do not
    need."""
    spec = find_spec("botocore")
    assert spec is not None and spec.origin is not None
    document = json.loads((Path(spec.origin).parent / "data" / "partitions.json").read_text())
    for partition in document["partitions"]:
        outputs = partition["outputs"]
        # The dual-stack endpoints of the API are below "api.", those of registries below "on.".
        registries = "on." + outputs["dualStackDnsSuffix"].removeprefix("api.")
        yield _Partition(
            partition["id"], re.compile(partition["regionRegex"].strip("^$")), outputs["dnsSuffix"], registries
        )
