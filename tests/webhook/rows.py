"""Rows and a configuration for tables of pure rules, without a database or a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mirrors.images import ImageRef
from mirrors.selectors.images.mapping_snapshot import Grant, MappingSnapshot
from mirrors.vocabulary.clusters import ClusterNamespace
from swapper_project.config import ConfigSource
from swapper_project.process import environment
from tests.support.system import write_config
from webhook.database.mapping_cache import CachedMapping
from webhook.decision.snapshot import Snapshot, Snapshots

HOUR = 3_600.0
# A constant, because the tables are created long before the tests run, and both must use the same time.
NOW = 1_800_000_000.0
SOURCE = ImageRef.parse("registry.example.com/team/app:1.0")
PRIVATE = {"access": "secrets"}


def snapshot_in(directory: Path, **keys: Any) -> Snapshot:
    """Return a configuration with one private source, which pods of ``shop`` are allowed to use."""
    entry = {
        "type": "oci",
        "host": "registry.example.com",
        "username": "robot",
        "passwordEnv": "SWAPPER_CRED_ROBOT",
        "namespaces": ["shop"],
    }
    config = write_config(
        directory / "config.yaml",
        target="mirror.example.com:5000",
        source={"registries": [entry]},
        existence={"maxAge": "10m", "maxStale": "2h"},
        platforms=["linux/amd64"],
        **keys,
    )
    made = Snapshots(source=ConfigSource(config), environment=environment.read({"SWAPPER_DATA_DIR": str(directory)}))
    return made.current


def row(**fields: Any) -> CachedMapping:
    made = MappingSnapshot(
        mapping_id=1,
        source=str(SOURCE),
        target="mirror.example.com:5000/registry.example.com/team/app:1.0",
        existence="present",
        access="anonymous",
        source_digest="sha256:a",
        target_digest="sha256:a",
        verified_at=NOW,
        source_checked_at=NOW,
        platforms=("linux/amd64",),
        obstacle="",
        paused=False,
        last_job_id=1,
        last_job_status="succeeded",
    )
    return CachedMapping(replace(made, **fields))


def grant(granted: bool, age: float, cluster: str = "default") -> dict[str, Any]:
    return {**PRIVATE, "grants": {ClusterNamespace(cluster, "other"): Grant(granted, NOW - age)}}
