"""Creates the name of a target, for webhook, workers, commands, API and admin alike."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from mirrors.images.cloud_hosts import ecr_hosts, parse_ecr_host
from mirrors.images.reference import MAX_REPOSITORY, TargetName

ECR_MAX_REPOSITORY: Final = 256
"""Characters that ECR allows in the name of a repository, without its host."""

MOST_CACHED_NAMES: Final = 64
"""The names that are cached, because each review and each job asks for that of its target. Installations have a few."""


def target_name(endpoint: str, prefix: str = "", *, aliases: Iterable[str] = (), insecure: bool = False) -> TargetName:
    """Return the target at an endpoint. The endpoint of an ECR registry determines its other host names and its limit.

    ``insecure``: the target is accessed by plain HTTP, whose default port is 80. Raises InvalidReferenceError.
    """
    return _target_name(endpoint, prefix, tuple(aliases), insecure)


@lru_cache(maxsize=MOST_CACHED_NAMES)
def _target_name(endpoint: str, prefix: str, aliases: tuple[str, ...], insecure: bool) -> TargetName:
    ecr = parse_ecr_host(endpoint)
    other_hosts = ecr_hosts(ecr.account, ecr.region).values() if ecr else ()
    return TargetName(
        endpoint,
        prefix,
        max_repository=ECR_MAX_REPOSITORY if ecr else MAX_REPOSITORY,
        aliases=tuple(name for name in dict.fromkeys([*other_hosts, *aliases]) if name != endpoint),
        default_port=80 if insecure else 443,
    )
