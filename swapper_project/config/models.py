"""The whole configuration: every key of ``.k8s-image-swapper.yaml`` with its default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo

from swapper_project.config.sections.cluster import WatcherSection
from swapper_project.config.sections.quantities import Duration, Size, duration, format_duration
from swapper_project.config.sections.registry_limits import HostRateLimit, PullReserve
from swapper_project.config.sections.section import Section
from swapper_project.config.sections.source import Source
from swapper_project.config.sections.target import Target
from swapper_project.config.sections.values import ClusterName, FileName, ListenAddress, Platforms

CountValue = Annotated[int, Field(ge=1, le=1_000_000)]

LONGEST_DEADLINE = 29.0
"""The longest ``imageCopyDeadline`` in seconds. Kubernetes waits at most 30 s, of which the response needs one."""


def _capped_deadline(seconds: float, info: ValidationInfo) -> float:
    if seconds <= LONGEST_DEADLINE:
        return seconds
    warnings: list[str] = (info.context or {}).get("warnings", [])
    warnings.append(
        f"imageCopyDeadline: {format_duration(seconds)} is longer than Kubernetes waits for a webhook (30s at most); "
        f"{format_duration(LONGEST_DEADLINE)} is used. Set it to {format_duration(LONGEST_DEADLINE)} or less"
    )
    return LONGEST_DEADLINE


class ExistenceSection(Section):
    """How long an answer of the target holds."""

    max_age: Duration = Field(default=600.0, description="A present image is checked again after this time.")
    max_stale: Duration = Field(
        default=86_400.0, description="How long the result present is used without a new check."
    )

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        try:
            age, stale = (
                duration(values[str(field.alias)]) if field.alias in values else field.default
                for field in (cls.model_fields["max_age"], cls.model_fields["max_stale"])
            )
        except ValueError:
            return
        if stale < age:
            yield "maxStale must not be shorter than maxAge"


class Quotas(Section):
    """For each namespace."""

    new_images_per_hour: CountValue = 200
    pending_jobs: CountValue = 100


class Copy(Section):
    images: int = Field(default=8, ge=1, le=64, description="Images copied at the same time.")
    blobs: int = Field(default=16, ge=1, le=256, description="Layers copied at the same time.")
    max_image_bytes: Size = Field(default=20 << 30)


class Config(Section):
    """An immutable, checked configuration. Durations are seconds, sizes bytes."""

    dry_run: bool = Field(default=True, description="Decide and record, but copy and change nothing.")
    log_level: Literal["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"] = "info"
    log_format: Literal["json", "console"] = "json"
    listen_address: ListenAddress = ":8443"
    tls_cert_file: FileName | None = None
    tls_key_file: FileName | None = None
    image_swap_policy: Literal["always", "exists"] = "exists"
    image_copy_policy: Literal["delayed", "immediate", "force", "none"] = "delayed"
    image_copy_deadline: Annotated[Duration, AfterValidator(_capped_deadline)] = 8.0
    refresh_age: Duration = Field(default=86_400.0, description="When a mutable tag is compared with its source again.")
    platforms: Platforms = Field(
        default=(), description="Platforms to mirror; empty: all; auto: those of the clusters' nodes."
    )
    referrers: Literal["none", "signatures", "all"] = "signatures"
    private_images: Literal["skip", "mirror", "guard", "enforce"] = "guard"
    access_age: Duration = Field(
        default=21_600.0, description="After how long the access of a namespace to a private image is checked again."
    )
    opt_out: Literal["pods", "none"] = "pods"
    skip_known_operators: bool = Field(
        default=True, description="Change no pod of an operator that is known to replace pods whose image differs."
    )
    on_error: Literal["allow", "deny"] = "allow"
    annotate: bool = True
    trusted_ca: FileName | None = Field(
        default=None,
        alias="trustedCA",
        description="Certificate authorities (PEM) in addition to the system's, for all connections.",
    )
    cluster_name: ClusterName = Field(
        default="default", description="Name of this cluster; clusters that share a database need different names."
    )
    watcher: WatcherSection = WatcherSection()
    backfill: Literal["off", "report", "on"] = Field(
        default="report", description="Images that run and are not mirrored: ignored, listed, or mirrored."
    )
    on_target_unhealthy: Literal["keep", "swap"] = Field(
        default="keep", description="New pods while nodes cannot pull from the target: source image, or mirror anyway."
    )
    existence: ExistenceSection = ExistenceSection()
    quotas: Quotas = Quotas()
    copy_: Copy = Field(default=Copy(), alias="copy")
    rate_limits: tuple[HostRateLimit, ...] = Field(
        default=(), description="Limits of registries, for all workers together; the first entry of a host applies."
    )
    pull_reserve: PullReserve = PullReserve()
    source: Source = Source()
    target: Target

    _warnings: tuple[str, ...] = PrivateAttr(())
    _overridden: tuple[str, ...] = PrivateAttr(())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the operator about a valid configuration."""
        return self._warnings

    @property
    def overridden(self) -> tuple[str, ...]:
        """Keys of the file that explicit flags override."""
        return self._overridden

    @property
    def digest(self) -> str:
        """SHA-256 of the effective configuration, which is equal for files with the same meaning."""
        return hashlib.sha256(json.dumps(self.effective(), sort_keys=True).encode()).hexdigest()

    def rate_limits_of(self, host: str) -> tuple[tuple[str, float], ...]:
        """Return the ``rateLimits`` of a host, as pairs of an engine operation and its limit."""
        for entry in self.rate_limits:
            if host == entry.host or (entry.host.startswith("*.") and host.endswith(entry.host[1:])):
                return tuple(entry.limits.items())
        return ()

    def effective(self) -> dict[str, Any]:
        """Return every key with its value, as in the file. It contains no passwords, only references to them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        if ("tlsCertFile" in values) != ("tlsKeyFile" in values):
            yield "tlsCertFile and tlsKeyFile must be set together"
