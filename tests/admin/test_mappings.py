"""The pages of mappings: search, the workloads that use an image, and permissions."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mirrors.models import (
    ErrorClass,
    ImageMapping,
    ImageUse,
    Registry,
)
from tests.admin.operating import MAPPINGS, failed, ordered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]


def test_a_mapping_shows_its_workloads_permissions_and_jobs(operator: Client) -> None:
    job = failed("quay.io/team/app:1")
    ImageUse.objects.create(mapping=job.mapping, namespace="shop", workload_kind="Deployment", workload="front")
    ImageMapping.objects.update(access="secrets")
    job.mapping.accesses.create(namespace="shop", granted=True)

    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()

    for words in (
        "Deployment front",
        "have pull secrets that were checked",
        "it was refused",
        "What to do:",
        f"Job {job.pk}",
    ):
        assert words in page
    assert "<td>shop</td><td>granted</td>" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=failed", {"quay.io/team/bad:1"}),
        ("state=queued", {"docker.io/library/nginx:1"}),
        ("state=mirrored", {"quay.io/team/good:1"}),
        ("state=paused", {"ghcr.io/team/idle:1"}),
        ("reason=unauthorized", {"quay.io/team/bad:1"}),
        ("source=quay.io", {"quay.io/team/bad:1", "quay.io/team/good:1"}),
        ("namespace=shop", {"quay.io/team/good:1"}),
        ("seen=not-week", set()),
        ("q=TEAM", {"quay.io/team/bad:1", "quay.io/team/good:1", "ghcr.io/team/idle:1"}),
    ],
)
def test_mappings_can_be_filtered_and_searched(operator: Client, query: str, found: set[str]) -> None:
    failed("quay.io/team/bad:1")
    ordered("nginx:1")
    good, idle = ordered("quay.io/team/good:1"), ordered("ghcr.io/team/idle:1")
    ImageMapping.objects.filter(pk=good.mapping_id).update(existence="present")
    ImageMapping.objects.filter(pk=idle.mapping_id).update(paused=True)
    ImageUse.objects.create(mapping=good.mapping, namespace="shop")

    page = operator.get(f"{MAPPINGS}?{query}").content.decode()

    assert set(re.findall(r">\s*((?:quay|docker|ghcr)\.io/[^<\s]+)\s*<", page)) == found


def test_mappings_can_be_filtered_only_by_target_registries(operator: Client, target: Registry) -> None:
    source = Registry.objects.create(name="quay", endpoint="quay.io")
    failed("quay.io/team/app:1")
    page = operator.get(MAPPINGS).content.decode()
    options = re.findall(r'<select name="target_registry__id__exact".*?</select>', page, re.S)[0]
    assert f'value="{target.pk}"' in options and f'value="{source.pk}"' not in options
    found = operator.get(MAPPINGS, {"target_registry__id__exact": target.pk}).content.decode()
    assert "quay.io/team/app:1" in found


def test_private_images_are_listed_before_access_is_granted(operator: Client) -> None:
    accesses = ("configured", "secrets", "anonymous", "unreadable", "unknown")
    for access in accesses:
        ordered(f"quay.io/team/{access}:1")
        ImageMapping.objects.filter(source__contains=access).update(access=access)
    menu = operator.get(MAPPINGS).content.decode()
    (link,) = re.findall(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*Private images', menu, re.S)

    page = operator.get(link).content.decode()

    assert [access for access in accesses if f"quay.io/team/{access}:1" in page] == ["configured", "secrets"]


@pytest.mark.parametrize(
    ("namespaces", "words"), [([], "no namespace"), (["shop", "web"], "shop, web"), (["*"], "all namespaces")]
)
def test_a_private_image_shows_the_namespaces_of_its_credentials(
    operator: Client, namespaces: list[str], words: str
) -> None:
    key = {"username": "robot", "credential_ref": "file:quay", "namespaces": namespaces}
    Registry.objects.create(name="our quay", endpoint="quay.io", **key)
    job = ordered("quay.io/team/app:1")
    ImageMapping.objects.update(access="configured")
    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()
    assert "the registry our quay in the admin" in page and words in page


def test_an_unreadable_image_is_not_shown_as_private(operator: Client) -> None:
    job = failed("quay.io/team/none:1", ErrorClass.NOT_FOUND)
    ImageMapping.objects.update(access="unreadable")
    page = operator.get(f"{MAPPINGS}{job.mapping_id}/change/").content.decode()
    assert "No credentials were found that can read it" in page and "The source is private" not in page
