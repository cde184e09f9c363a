"""The rows of configuration files if several clusters share one database."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mirrors import selectors
from mirrors.models import Filter, ManagedBy, Registry, RegistryRole
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import Config, parse

pytestmark = pytest.mark.django_db


def config(cluster: str, *, target: str = "mirror.example.com", filters: tuple[str, ...] = (), **host: Any) -> Config:
    registries = [{"type": "oci", "host": "quay.io", **host}]
    source = {"filters": [{"jmespath": text} for text in filters], "registries": registries}
    document = {"clusterName": cluster, "source": source, "target": {"type": "oci", "oci": {"endpoint": target}}}
    return parse(yaml.safe_dump(document))


def filters_of(cluster: str) -> list[str]:
    return list(Filter.objects.filter(cluster=cluster).order_by("position").values_list("jmespath", flat=True))


def source_of(cluster: str) -> Registry:
    return Registry.objects.get(role=RegistryRole.SOURCE, cluster=cluster)


def test_configuration_files_of_two_clusters_keep_separate_rows() -> None:
    for _ in range(2):
        sync_config(config=config("a", filters=("`true`", "`null`"), namespaces=["shop"]))
        sync_config(config=config("b", filters=("`false`",), namespaces=["pay"]))

    assert (filters_of("a"), filters_of("b")) == (["`true`", "`null`"], ["`false`"])
    assert (source_of("a").namespaces, source_of("b").namespaces) == (["shop"], ["pay"])
    assert source_of("a").enabled and source_of("b").enabled
    sync_config(config=config("a"))
    assert (filters_of("a"), filters_of("b")) == ([], ["`false`"])


def test_a_target_in_the_files_of_two_clusters_is_one_row() -> None:
    sync_config(config=config("a"))
    sync_config(config=config("b"))

    assert Registry.objects.get(role=RegistryRole.TARGET).clusters == ["a", "b"]


def test_a_target_is_disabled_when_no_file_contains_it_any_more() -> None:
    sync_config(config=config("a"))
    sync_config(config=config("b"))
    sync_config(config=config("a", target="new.example.com"))
    former = Registry.objects.get(endpoint="mirror.example.com")
    assert former.enabled and former.clusters == ["b"]

    sync_config(config=config("b", target="new.example.com"))

    former.refresh_from_db()
    assert (former.enabled, former.clusters) == (False, [])


def test_rows_of_a_release_without_clusters_are_adopted_by_the_first_sync() -> None:
    """Rows of a release that had no clusters."""
    Filter.objects.create(name="source.filters[0]", jmespath="`true`", managed_by=ManagedBy.CONFIG)
    Registry.objects.create(name="quay.io", endpoint="quay.io", managed_by=ManagedBy.CONFIG)
    Registry.objects.create(name="old", endpoint="old.example.com", role=RegistryRole.TARGET, managed_by="config")

    sync_config(config=config("a", filters=("`false`",)))

    assert filters_of("a") == ["`false`"] and filters_of("") == []
    assert Registry.objects.get(endpoint="quay.io").cluster == "a"
    assert not Registry.objects.get(endpoint="old.example.com").enabled


def test_a_file_with_the_same_host_keeps_the_operators_row_for_other_clusters() -> None:
    sync_config(config=config("a"))
    Registry.objects.create(name="ours", endpoint="ghcr.io", username="u", credential_ref="file:u")

    sync_config(config=config("b", host="ghcr.io"))

    assert Registry.objects.get(name="ours").cluster == ""
    assert [entry.host for entry in selectors.operator_sources("a")] == ["ghcr.io"]


def test_operator_rows_of_a_cluster_apply_only_to_that_cluster() -> None:
    Filter.objects.create(name="everywhere", jmespath="`false`")
    Filter.objects.create(name="in b", jmespath="`false`", cluster="b")
    Registry.objects.create(name="in b", endpoint="ghcr.io", cluster="b")

    assert [name for name, _ in selectors.operator_filters("a")] == ["everywhere"]
    assert [name for name, _ in selectors.operator_filters("b")] == ["everywhere", "in b"]
    assert [entry.host for entry in selectors.operator_sources("a")] == []
    assert [entry.host for entry in selectors.operator_sources("b")] == ["ghcr.io"]
