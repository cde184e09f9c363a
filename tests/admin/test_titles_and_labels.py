"""Titles use the names of the menu, and lists and histories show values as words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axes.models import AccessFailureLog
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.admin.tools.navigation import sections
from mirrors.models import (
    AdmissionSample,
    BackfillRun,
    ErrorClass,
    ImageMapping,
    ImageUse,
    Instance,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    Registry,
    RegistryRole,
)
from mirrors.services import request_image
from mirrors.templatetags.humanise import DONE
from tests.support.databases import ROOT
from tests.support.pages import text_of

pytestmark = pytest.mark.django_db


def test_breadcrumbs_use_the_names_of_the_menu(admin_client: Client) -> None:
    index = admin_client.get(reverse("admin:index"))
    items = [item for section in sections(index.wsgi_request) for item in section["items"]]
    names = {item["link"]: item["title"] for item in items if item["link"].count("/") == 4 and "?" not in item["link"]}
    assert names["/admin/axes/accesslog/"] == "Sign-ins" and names["/admin/auth/group/"] == "Roles"
    for link, name in names.items():
        found = re.findall(r"<h1[^>]*>(.*?)</h1>", admin_client.get(link).content.decode(), re.S)
        assert name in text_of(found[0]), link


def test_breadcrumbs_end_with_the_name_of_the_row(admin_client: Client) -> None:
    Registry.objects.create(endpoint="mirror.example.com", role=RegistryRole.TARGET, managed_by="config")
    job, _ = request_image(image="nginx:1", requested_by="x")
    image = "docker.io/library/nginx:1"
    run = BackfillRun.objects.create(cluster="default")
    for name, key, last in (
        ("imagemapping", job.mapping_id, f"Mappings chevron_right {image}"),
        ("mirrorjob", job.pk, f"Jobs chevron_right Job {job.pk}: {image}"),
        ("backfillrun", run.pk, f"Backfill chevron_right Backfill {run.pk} of default"),
    ):
        page = admin_client.get(reverse(f"admin:mirrors_{name}_change", args=[key])).content.decode()
        assert text_of(re.findall(r"<h1[^>]*>(.*?)</h1>", page, re.S)[0]).endswith(last), name


def test_breadcrumbs_of_custom_pages_start_with_their_section(admin_client: Client) -> None:
    for name, words in (
        ("admin:accounts_apitoken_own", "Access chevron_right My API tokens"),
        ("admin:mirrors_filter_try", "Configuration chevron_right Filters chevron_right Try a filter"),
        ("explain", "Explain a pod"),
        ("admin:index", "Dashboard"),
    ):
        page = admin_client.get(reverse(name)).content.decode()
        assert text_of(re.findall(r"<h1[^>]*>(.*?)</h1>", page, re.S)[0]) == words


def active_entries(page: str) -> list[str]:
    """Return the menu entries that are marked as active on this page."""
    return re.findall(r'<a href="([^"]+)" class="[^"]* active"', page)


def test_titles_and_active_entries_match_the_menu(admin_client: Client) -> None:
    index = admin_client.get(reverse("admin:index"))
    items = [item for section in sections(index.wsgi_request) for item in section["items"]]
    for item in items:
        if item["link"].startswith("/admin/"):
            page = admin_client.get(item["link"]).content.decode()
            (title,) = re.findall("<title>(.*?)</title>", page, re.S)
            assert text_of(title) == f"{item['title']} | k8s-image-swapper", item["link"]
            assert active_entries(page) == [item["link"]]
    Registry.objects.create(endpoint="mirror.example.com", role=RegistryRole.TARGET, managed_by="config")
    job, _ = request_image(image="nginx:1", requested_by="x")
    pages = (("mirrorjob", job.pk, f"Job {job.pk}: "), ("imagemapping", job.mapping_id, ""))
    for (name, key, before), title in zip(pages, ("Jobs", "Mappings"), strict=True):
        page = admin_client.get(reverse(f"admin:mirrors_{name}_change", args=[key])).content.decode()
        words = " ".join(page.partition("<title>")[2].partition("</title>")[0].split())
        assert words == f"{before}docker.io/library/nginx:1 | {title} | k8s-image-swapper"
        assert active_entries(page) == [reverse(f"admin:mirrors_{name}_changelist")]
    private = admin_client.get(f"{reverse('admin:mirrors_imagemapping_changelist')}?access=private").content.decode()
    assert "Private images" in text_of(re.findall(r"<h1[^>]*>(.*?)</h1>", private, re.S)[0])
    worker = Instance.objects.create(role="worker", name="runs")
    page = admin_client.get(reverse("admin:mirrors_instance_change", args=[worker.pk])).content.decode()
    assert "worker runs | Processes |" in " ".join(page.split())


def test_filters_use_the_names_of_columns(admin_client: Client) -> None:
    named: dict[str, set[str]] = {}
    for name in ("mirrorjob", "pullfailure", "targetrepository", "mirrorattempt", "registry", "mappingaccess"):
        listed = admin_client.get(reverse(f"admin:mirrors_{name}_changelist")).context["cl"]
        named[name] = {str(spec.title) for spec in listed.filter_specs}
    assert {"status", "error type", "finished", "failed at registry"} <= named["mirrorjob"]
    assert {"cause", "failed at", "mirrored"} <= named["pullfailure"]
    assert named["targetrepository"] == {"differences", "pull-through cache"}
    assert named["mirrorattempt"] == {"outcome", "finished"}
    assert {"role", "managed by", "enabled"} <= named["registry"]
    assert "granted" in named["mappingaccess"]
    for url, titles in (("auth_user", {"roles", "active"}), ("auditlog_logentry", {"action", "object type"})):
        listed = admin_client.get(reverse(f"admin:{url}_changelist")).context["cl"]
        assert titles <= {str(spec.title) for spec in listed.filter_specs}


def test_action_filters_use_the_labels_of_the_lists(admin_client: Client) -> None:
    OperatorAction.objects.create(actor="otto", action="apply settings", subject="team/app")
    activity = admin_client.get(reverse("admin:mirrors_operatoraction_changelist"))
    (spec,) = activity.context["cl"].filter_specs
    assert spec.lookup_choices == [("apply settings", "Applied settings")]
    assert "1 action" in text_of(activity.content.decode())
    registry = Registry.objects.create(endpoint="quay.io", managed_by="operator")
    registry.delete()
    history = reverse("admin:auditlog_logentry_changelist")
    words = [chip.text for chip in admin_client.get(history, {"action__exact": "2"}).context["cl"].chips]
    assert words == ["Deleted"]
    specs = admin_client.get(history).context["cl"].filter_specs
    kinds = [words for spec in specs if spec.title == "object type" for _, words in spec.lookup_choices]
    assert "registry" in kinds and "API token" in kinds and "job" not in kinds
    assert len(admin_client.get(history, {"action__exact": "2"}).context["cl"].result_list) == 1


def test_each_recorded_action_has_a_label() -> None:
    code = "".join(path.read_text() for path in (ROOT / "mirrors").rglob("*.py"))
    recorded = set(re.findall(r'record_actions\([^)]*?action="([^"]+)"', code))
    assert {"mirror", "retry", "release", "declare-healthy"} <= recorded
    assert recorded <= DONE.keys()


def test_lists_use_one_name_for_their_rows(admin_client: Client) -> None:
    health = admin_client.get(reverse("admin:mirrors_targethealth_changelist")).content.decode()
    assert "0 targets" in text_of(health)
    locked = admin_client.get(reverse("admin:axes_accessattempt_changelist")).content.decode()
    assert "Delete selected locked sign-ins" in locked and "access attempts" not in locked


@pytest.mark.usefixtures("target")
def test_empty_values_are_shown_as_a_dash(admin_client: Client) -> None:
    job, _ = request_image(image="nginx:1", requested_by="x")
    use = ImageUse.objects.create(mapping=job.mapping, namespace="shop")
    MirrorAttempt.objects.create(job=job, number=1, worker="w", outcome="succeeded")
    for name, column in (("imageuse", "workload"), ("mirrorattempt", "error_type")):
        page = admin_client.get(reverse(f"admin:mirrors_{name}_changelist")).content.decode()
        cell = page.partition(f"field-{column}")[2].partition("</td>")[0]
        assert text_of(cell.partition(">")[2]) == "–", name
    page = admin_client.get(reverse("admin:mirrors_imageuse_change", args=[use.pk])).content.decode()
    assert "standalone pods in shop | Workloads" in " ".join(page.split())


def test_value_labels_are_in_sentence_case() -> None:
    names = {"Admin or API", "Amazon ECR", "Google Artifact Registry", "OCI registry", "TLS"}
    for model in apps.get_app_config("mirrors").get_models():
        for field in model._meta.concrete_fields:
            for _, label in field.flatchoices:
                assert str(label) in names or str(label) == str(label).capitalize(), (field, label)


def test_booleans_are_text_on_pages_and_colored_in_lists(admin_client: Client) -> None:
    """Pages show yes and no as words. Lists colour a yes that is good."""
    Registry.objects.create(name="plain", endpoint="quay.io", insecure=True, managed_by="config")
    page = admin_client.get(reverse("admin:mirrors_registry_change", args=[Registry.objects.get().pk])).content.decode()
    assert "check_small" not in page and "close_small" not in page
    row = (
        admin_client.get(reverse("admin:mirrors_registry_changelist")).content.decode().partition("field-is_enabled")[2]
    )
    assert "bg-green-100" in row.partition("</td>")[0] and "yes" in row.partition("</td>")[0]


def test_the_history_shows_names_of_roles_and_yes_or_no(admin_client: Client) -> None:
    result = {"fields": "x"}
    user = User.objects.create_user("vera")
    form = {"username": "vera", "is_active": "", "groups": [Group.objects.get(name="operator").pk], **result}
    admin_client.post(reverse("admin:auth_user_change", args=[user.pk]), form)
    token = {"name": "ci", "user": user.pk, "role": Role.OPERATOR.value}
    admin_client.post(reverse("admin:accounts_apitoken_add"), token)
    assert ApiToken.objects.get().role == Role.OPERATOR
    page = admin_client.get(reverse("admin:auditlog_logentry_changelist"))
    texts = [
        text_of(admin_client.get(link).content.decode())
        for link in set(re.findall(r'href="(/admin/auditlog/logentry/\d+/change/)', page.content.decode()))
    ]
    assert "Changed" in text_of(page.content.decode()) and "Created" in text_of(page.content.decode())
    assert any("active : yes → no" in text for text in texts)
    assert any("role : – → operator" in text for text in texts)
    assert any("roles : – → operator" in text for text in texts)
    assert any("user : – → vera" in text for text in texts), "by name, not by key"


def test_a_stopped_process_is_shown_as_stopped(admin_client: Client) -> None:
    Instance.objects.create(role="worker", name="runs")
    old = Instance.objects.create(role="worker", name="has-ended", facts={"dry_run": True})
    Instance.objects.filter(pk=old.pk).update(seen_at=timezone.now() - timedelta(hours=1))
    page = admin_client.get(reverse("admin:mirrors_instance_changelist")).content.decode()
    states = dict(re.findall(r"(runs|has-ended)</td>.*?>\s*(Running|Stopped)\s*<", page, re.S))
    assert states == {"runs": "Running", "has-ended": "Stopped"}
    assert "dry run" not in page.partition("has-ended")[2], "what it reported is no longer so"
    assert "Stopped" in admin_client.get(reverse("admin:mirrors_instance_change", args=[old.pk])).content.decode()
    states = {row["name"]: row["state"] for row in admin_client.get("/api/v1/instances/").json()["results"]}
    assert states == {"runs": "running", "has-ended": "stopped"}


def test_states_and_field_names_are_shown_as_words(admin_client: Client) -> None:
    Registry.objects.create(endpoint="mirror.example.com", role=RegistryRole.TARGET, managed_by="config")
    job, _ = request_image(image="nginx:1", requested_by="x")
    ImageMapping.objects.update(existence="present", obstacle="immutable-conflict")
    for url in ("changelist", "change"):
        args = [job.mapping_id] if url == "change" else []
        found = admin_client.get(reverse(f"admin:mirrors_imagemapping_{url}", args=args)).content.decode()
        assert re.search(r">\s*Immutable conflict\s*<", found), url
    assert "Not tested" in admin_client.get(reverse("admin:mirrors_registry_changelist")).content.decode()
    link = re.findall(
        r'href="(/admin/auditlog/logentry/\d+/change/)',
        admin_client.get(reverse("admin:auditlog_logentry_changelist")).content.decode(),
    )[0]
    page = text_of(admin_client.get(link).content.decode())
    assert "managed by : – → Configuration file" in page
    assert "→ [" not in page and "→ {" not in page and "– → –" not in page


def test_a_locked_sign_in_is_shown_as_text(admin_client: Client) -> None:
    AccessFailureLog.objects.create(username="vera", ip_address="10.0.0.1", locked_out=True)
    page = admin_client.get(reverse("admin:axes_accessfailurelog_changelist")).content.decode()
    cell = page.partition("field-was_locked")[2].partition("</td>")[0].partition(">")[2]
    assert text_of(cell) == "locked"


def test_the_list_of_admissions_shows_images(admin_client: Client) -> None:
    images = ["quay.io/team/app:1", "nginx:1.27"]
    decisions = [{"container": "c", "image": image, "decision": "keep", "reason": "absent"} for image in images]
    AdmissionSample.objects.create(uid="u", operation="CREATE", namespace="shop", pod={}, decisions=decisions, kept=2)
    page = admin_client.get(reverse("admin:mirrors_admissionsample_changelist")).content.decode()
    assert all(image in page.replace("<wbr>", "") for image in images)


def test_an_error_is_shown_once_on_the_page_of_a_mapping(admin_client: Client) -> None:
    Registry.objects.create(name="target", endpoint="reg.example.com:5000", role=RegistryRole.TARGET)
    job, _ = request_image(image="quay.io/team/app:1", requested_by="x")
    result = {"status": JobStatus.FAILED, "error_class": ErrorClass.UNAUTHORIZED, "error_message": "it was refused"}
    MirrorJob.objects.filter(pk=job.pk).update(**result)
    page = admin_client.get(reverse("admin:mirrors_imagemapping_change", args=[job.mapping_id])).content.decode()
    assert page.count("it was refused") == 1
    assert f"<code data-copy>{job.mapping.source}</code>" in page


def test_activity_shows_the_user_the_action_and_the_image(admin_client: Client) -> None:
    OperatorAction.objects.create(actor="olga", action="pause", subject="quay.io/team/app:1")
    page = text_of(admin_client.get(reverse("admin:mirrors_operatoraction_changelist")).content.decode())
    assert "olga Paused quay.io/team/app:1" in page


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("mirrors_backfillrun", "Backfill appears after a preview"),
        ("mirrors_operatoraction", "Activity appears after a user"),
        ("mirrors_targethealth", "Target health appears when pods"),
        ("mirrors_backfillimage", "Images of backfills appear with a preview"),
        ("mirrors_mirrorjob", "Jobs appear after a copy"),
    ],
)
def test_an_empty_list_explains_when_rows_appear(admin_client: Client, model: str, words: str) -> None:
    assert words in text_of(admin_client.get(reverse(f"admin:{model}_changelist")).content.decode())
