"""The explanation of a pod: page and API report what the webhook would do, and change nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from mirrors.accounts.roles import Role
from mirrors.demo.registry import MemoryRegistry
from mirrors.models import (
    AdmissionSample,
    DecisionCount,
    Existence,
    Filter,
    ImageMapping,
    MirrorJob,
    Registry,
    RegistryRole,
    RestartLoop,
)
from mirrors.services import request_image
from mirrors.services.configuration.config_rows import sync_config
from swapper_project import config
from tests.support.pages import text_of
from tests.support.ports import wait_until
from tests.support.samples import sampled
from tests.support.system import pod_of, write_config
from tests.watcher.rows import restart_loop, unhealthy_target
from webhook.runtime import runtime

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/explain/"
API = "/api/v1/explain/"
DEPLOYMENT = """
kind: Deployment
metadata: {name: front, namespace: shop}
spec:
  template:
    spec:
      containers:
        - {name: web, image: "nginx:1.27"}
        - {name: tool, image: "tools/agent:1"}
"""


@pytest.fixture
def registry(tmp_path: Path, settings: Settings) -> Iterator[MemoryRegistry]:
    """An empty target that is configured for this process."""
    with MemoryRegistry() as target:
        path = write_config(tmp_path / "config.yaml", target=target.host, privateImages="mirror")
        settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=path)
        sync_config(config=config.load(path))
        yield target
        runtime.stop()


@pytest.fixture
def api(admin_user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(admin_user)
    return client


def explained(api: APIClient, manifest: object, **more: str) -> list[dict[str, Any]]:
    response = api.post(API, {"manifest": manifest, **more}, format="json")
    assert response.status_code == 200, response.data
    found: list[dict[str, Any]] = response.json()
    return found


def test_the_api_reports_the_decisions_of_the_webhook(api: APIClient, registry: MemoryRegistry) -> None:
    Filter.objects.create(name="tools", jmespath="starts_with(container.image, 'tools/')")

    (pod,) = explained(api, DEPLOYMENT)

    assert (pod["object"], pod["namespace"], pod["patch"]) == ("Deployment/front", "shop", [])
    web, tool = pod["images"]
    assert (web["decision"], web["reason"], web["existence"]) == ("keep", "absent", "absent")
    assert web["meaning"] == "not mirrored yet"
    assert web["target"] == f"{registry.host}/docker.io/library/nginx:1.27"
    assert (tool["reason"], tool["filter"], tool["target"]) == ("filtered", "tools", None)
    assert not ImageMapping.objects.exists() and not MirrorJob.objects.exists()


def test_a_mirrored_image_is_explained_with_its_patch(api: APIClient, registry: MemoryRegistry) -> None:
    registry_id = Registry.objects.get(role=RegistryRole.TARGET).pk
    target = f"{registry.host}/docker.io/library/nginx:1.27"
    ImageMapping.objects.create(
        source="docker.io/library/nginx:1.27",
        target=target,
        target_registry_id=registry_id,
        existence=Existence.PRESENT,
        verified_at=timezone.now(),
    )
    (pod,) = explained(api, pod_of("nginx:1.27"), namespace="shop")
    assert pod["images"][0]["decision"] == "swap"
    assert {"op": "replace", "path": "/spec/containers/0/image", "value": target} in pod["patch"]


def test_suspended_swaps_are_explained_with_a_link(
    api: APIClient, admin_client: Client, registry: MemoryRegistry
) -> None:
    ImageMapping.objects.create(
        source="docker.io/library/nginx:1.27",
        target=f"{registry.host}/docker.io/library/nginx:1.27",
        target_registry_id=Registry.objects.get(role=RegistryRole.TARGET).pk,
        existence=Existence.PRESENT,
        verified_at=timezone.now(),
    )
    owner = {"kind": "Database", "name": "orders", "controller": True}
    pod = pod_of("nginx:1.27", ownerReferences=[owner], namespace="shop")
    restart_loop(image=f"{registry.host}/docker.io/library/nginx:1.27")
    assert explained(api, pod)[0]["images"][0]["reason"] == "restart-loop"

    RestartLoop.objects.all().delete()
    unhealthy_target(registry=registry.host)
    wait_until(lambda: explained(api, pod)[0]["images"][0]["reason"] == "target-unhealthy", what="the target's state")
    shown = admin_client.post(PAGE, {"manifest": json.dumps(pod), "namespace": "shop"}).content.decode()
    assert '<a href="/admin/mirrors/targethealth/">Cause and fix</a>' in shown


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("a: [b", "line"),
        ("kind: Service", "no pod"),
        ({"kind": "Service"}, "no pod"),
        (7, "no pod"),
        ("[" * 9999, "nested"),
    ],
)
def test_an_invalid_manifest_is_reported_as_a_field_error(api: APIClient, manifest: object, words: str) -> None:
    response = api.post(API, {"manifest": manifest}, format="json")
    assert response.status_code == 400
    assert words in response.json()["errors"]["manifest"][0]


@pytest.mark.parametrize("body", ['{"manifest":' + "[" * 50_000 + "]" * 50_000 + "}", '{"manifest": "\\ud800"}'])
def test_deeply_nested_json_and_lone_surrogates_are_parse_errors(api: APIClient, body: str) -> None:
    response = api.post(API, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "parse-error")


def test_a_missing_or_invalid_configuration_is_reported(
    api: APIClient, admin_client: Client, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.yaml"
    for path, words in ((None, "No configuration file"), (broken, "target")):
        broken.write_text("dryRun: true\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=path)
        response = api.post(API, {"manifest": pod_of("nginx")}, format="json")
        assert (response.status_code, response.json()["code"]) == (409, "not-configured")
        assert words in response.json()["detail"]
        page = admin_client.post(PAGE, {"manifest": DEPLOYMENT, "namespace": "default"}).content.decode()
        assert words in page and "SWAPPER_CONFIG" in page and "name: front" in page


def test_an_operator_mirrors_missing_images_from_the_page(client: Client, registry: MemoryRegistry) -> None:
    user = User.objects.create_user("olga", is_staff=True)
    client.force_login(user)
    requested = {"manifest": DEPLOYMENT, "namespace": "default", "mirror": "1"}
    user.groups.set([Group.objects.get(name=Role.VIEWER.group)])
    assert client.post(PAGE, requested).status_code == 403
    assert not MirrorJob.objects.exists()
    explaining = client.post(PAGE, {"manifest": DEPLOYMENT, "namespace": "default"})
    assert "Mirror missing images" not in explaining.content.decode()

    user.groups.set([Group.objects.get(name=Role.OPERATOR.group)])
    page = client.post(PAGE, requested).content.decode()

    jobs = MirrorJob.objects.select_related("mapping").order_by("pk")
    assert [job.mapping.source for job in jobs] == ["docker.io/library/nginx:1.27", "docker.io/tools/agent:1"]
    assert {job.requested_by for job in jobs} == {"olga"}
    for job in jobs:
        assert reverse("admin:mirrors_mirrorjob_change", args=[job.pk]) in page


def test_a_sampled_pod_is_explained_and_a_deleted_sample_is_reported(
    admin_client: Client, registry: MemoryRegistry
) -> None:
    sample = sampled("billing", "quay.io/team/app:1")
    page = admin_client.get(PAGE, {"admission": sample.pk}).content.decode()
    assert "in namespace billing" in page and f"{registry.host}/quay.io/team/app:1" in page
    gone = admin_client.get(PAGE, {"admission": 10**17}).content.decode()
    assert "was deleted" in gone


@pytest.mark.parametrize("text", ["a: [b", "", "kind: Service"])
def test_invalid_form_values_are_reported_at_their_field_and_kept(admin_client: Client, text: str) -> None:
    response = admin_client.post(PAGE, {"manifest": text, "namespace": "Not A Name"})
    form = response.context["form"]
    assert response.status_code == 200
    assert "namespace" in form.errors
    assert form["manifest"].value() == text and text in response.content.decode()
    assert "manifest" in admin_client.post(PAGE, {"manifest": text, "namespace": "default"}).context["form"].errors


def test_explaining_records_no_samples_counts_or_mappings(api: APIClient, registry: MemoryRegistry) -> None:
    Filter.objects.create(name="fails", jmespath="contains(obj.metadata.labels, 'x')")
    explained(api, DEPLOYMENT)
    # A webhook writes its records when it stops.
    runtime.stop()
    assert not AdmissionSample.objects.exists() and not DecisionCount.objects.exists()
    assert not ImageMapping.objects.exists()


def test_an_absent_image_shows_the_last_error_and_its_job(
    api: APIClient, admin_client: Client, registry: MemoryRegistry
) -> None:
    job, _ = request_image(image="nginx:1.27", requested_by="somebody")
    ImageMapping.objects.update(existence=Existence.ABSENT)
    MirrorJob.objects.update(status="failed", error_class="denied", error_message="it was refused")

    web, tool = explained(api, DEPLOYMENT)[0]["images"]

    assert web["last_error"]["job"] == job.pk
    assert (web["last_error"]["error_class"], web["last_error"]["error_message"]) == ("denied", "it was refused")
    assert "permission to pull" in web["last_error"]["advice"] and tool["last_error"] is None
    page = admin_client.post(PAGE, {"manifest": DEPLOYMENT, "namespace": "shop"}).content.decode()
    assert f'<a href="/admin/mirrors/mirrorjob/{job.pk}/change/">Job {job.pk}</a> failed: it was refused' in page
    MirrorJob.objects.update(status="succeeded")
    assert explained(api, DEPLOYMENT)[0]["images"][0]["last_error"] is None


@pytest.mark.parametrize(
    ("access", "words"), [("configured", "Configured credentials"), ("unreadable", "Not readable")]
)
def test_access_and_existence_use_the_labels_of_mappings(
    admin_client: Client, registry: MemoryRegistry, access: str, words: str
) -> None:
    request_image(image="nginx:1.27", requested_by="somebody")
    ImageMapping.objects.update(existence=Existence.ABSENT, access=access)
    page = text_of(admin_client.post(PAGE, {"manifest": DEPLOYMENT, "namespace": "shop"}).content.decode())
    assert f"Access to the source {words}" in page and "At the target Absent" in page


def test_the_page_offers_a_sample_manifest(admin_client: Client, registry: MemoryRegistry) -> None:
    assert "?sample=1" in admin_client.get(PAGE).content.decode()
    field = admin_client.get(f"{PAGE}?sample=1").context["form"]["manifest"]
    page = admin_client.post(PAGE, {"manifest": field.value(), "namespace": "default"}).content.decode()
    assert page.count("<code>busybox:1.37</code>") == page.count("<code>nginx:1.27</code>") == 1
