"""Filters in the admin: hits that match the linked list, errors at their position, and trying before saving."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mirrors.accounts.roles import Role
from mirrors.models import AdmissionSample, DecisionCount, Filter, ManagedBy
from tests.support.pages import text_of
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db
LIST = "/admin/mirrors/filter/"
ANSWERS = "/admin/mirrors/filter/try/answers/"
IMPACT = "/admin/mirrors/filter/try/impact/"
POD = "kind: Pod\nmetadata: {namespace: shop}\nspec:\n  containers: [{name: web, image: 'nginx:1'}]\n"


@pytest.fixture
def filters() -> tuple[Filter, Filter]:
    """One filter of the file and one of the admin."""
    of_file = Filter.objects.create(
        name="source.filters[0]", jmespath="obj.metadata.namespace == 'kube-system'", managed_by=ManagedBy.CONFIG
    )
    return of_file, Filter.objects.create(name="tools", jmespath="contains(container.image, 'tools')", position=5)


def test_hits_count_the_last_day_and_link_to_as_many_images(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for age, namespace, images in ((0, "a", 4), (20, "b", 9), (30, "a", 100)):
        DecisionCount.objects.create(
            hour=hour - timedelta(hours=age),
            namespace=namespace,
            source_host="docker.io",
            decision="keep",
            reason="filtered",
            filter="tools",
            images=images,
        )
    page = admin_client.get(LIST).content.decode()
    hits = {link: int(n) for link, n in re.findall(r'href="(/admin/mirrors/decisioncount/[^"]+)">(\d+)</a>', page)}
    assert sorted(hits.values()) == [0, 13]
    link = unescape(next(link for link, n in hits.items() if n == 13))
    behind = admin_client.get(link)
    assert "13 images in total" in text_of(behind.content.decode())
    assert sorted(row.images for row in behind.context["cl"].result_list) == [4, 9]


def test_a_list_of_many_filters_runs_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        Filter.objects.create(name=f"f{number}", jmespath="`true`")
    with django_assert_max_num_queries(12):
        admin_client.get(LIST)


def test_an_expression_error_is_shown_with_its_line_and_column(admin_client: Client) -> None:
    fields = {
        "name": "bad",
        "jmespath": "`true` ||\r\n  containz(container.image, 'y')",
        "position": 0,
        "enabled": "on",
    }
    page = admin_client.post(reverse("admin:mirrors_filter_add"), fields).content.decode()
    assert "Line 2, column 3: there is no function containz(); did you mean contains()?" in unescape(page)
    assert "  containz(container.image, 'y')\n  ^" in unescape(page)
    assert not Filter.objects.exists()


def test_double_quoted_text_causes_a_warning_when_tried_and_when_saved(admin_client: Client) -> None:
    query, words = 'contains(container.image, "docker.io")', '"docker.io" in double quotes is the name of a field'
    assert words in text_of(admin_client.post(ANSWERS, {"jmespath": query, "pod": POD}).content.decode())
    form = {"name": "mine", "jmespath": query, "position": 1, "enabled": "on"}
    saved = admin_client.post("/admin/mirrors/filter/add/", form, follow=True)
    assert words in text_of(saved.content.decode())
    assert Filter.objects.get(name="mine").jmespath == query
    right = {"jmespath": query.replace('"', "'"), "pod": POD}
    assert "double quotes" not in text_of(admin_client.post(ANSWERS, right).content.decode())


def test_filters_of_the_file_show_their_origin_and_reserve_their_names(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    page = text_of(admin_client.get(reverse("admin:mirrors_filter_change", args=[filters[0].pk])).content.decode())
    assert "comes from the configuration file: source.filters[0] in" in page
    taken = {"name": "source.filters[7]", "jmespath": "`true`", "position": 0}
    admin_client.post(reverse("admin:mirrors_filter_add"), taken)
    assert Filter.objects.count() == 2, "names of the file's filters are not for others"


def test_filters_can_be_disabled_except_those_of_the_file(admin_client: Client, filters: tuple[Filter, Filter]) -> None:
    rows = [row.pk for row in filters]
    page = admin_client.post(LIST, {"action": "disable", "_selected_action": rows}, follow=True).content.decode()
    assert list(Filter.objects.order_by("pk").values_list("enabled", flat=True)) == [True, False]
    assert "1 disabled" in page and "1 from the configuration file" in page


def test_filters_are_evaluated_in_order_and_the_first_match_decides(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    requested = {"jmespath": "contains(container.image, 'nginx')", "pod": POD}
    page = text_of(admin_client.post(ANSWERS, requested).content.decode())
    assert "this filter excludes it" in page
    # The order is that after saving: at position 0, before the other filter.
    assert page.index("source.filters[0]") < page.index("this filter true – decides") < page.index("tools false")
    last = text_of(admin_client.post(ANSWERS, {**requested, "position": 99}).content.decode())
    assert last.index("source.filters[0]") < last.index("tools false") < last.index("this filter true – decides")
    first = text_of(
        admin_client.post(ANSWERS, {**requested, "pod": POD.replace("shop", "kube-system")}).content.decode()
    )
    assert "source.filters[0] excludes it, before this filter is evaluated" in first
    edited = text_of(admin_client.post(ANSWERS, {**requested, "filter": filters[1].pk}).content.decode())
    assert "tools excludes it" in edited and "this filter" not in edited


@pytest.mark.parametrize(
    ("expression", "pod", "words"),
    [
        ("obj.[", POD, "Line 1, column"),
        ("contains(obj.metadata.labels, 'x')", POD, "contains() got null"),
        ("`true`", "a: [b", "The pod can't be read"),
        ("`true`", "&a [*a]", "nested"),
        ("", POD, "no filter is true"),
        ("`true`", "", "paste a pod"),
    ],
)
def test_invalid_or_empty_expressions_and_pods_are_reported(
    admin_client: Client, expression: str, pod: str, words: str
) -> None:
    response = admin_client.post(ANSWERS, {"jmespath": expression, "pod": pod})
    assert response.status_code == 200
    assert words in text_of(response.content.decode())


def test_the_expression_of_the_edit_form_is_tried_without_saving(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    sampled("shop", "nginx:1")
    url = reverse("admin:mirrors_filter_try")
    posted = {"name": "tools", "jmespath": "`true`", "position": 3, "enabled": "on", "filter": filters[1].pk}
    page = admin_client.post(url, posted).content.decode()
    assert "tools excludes it" in text_of(page) and "`true`</textarea>" in page
    filters[1].refresh_from_db()
    assert filters[1].jmespath != "`true`"
    by_link = admin_client.get(url, {"filter": filters[1].pk}).content.decode()
    assert "contains(container.image, &#x27;tools&#x27;)</textarea>" in by_link


def test_a_tried_expression_is_copied_to_the_filter_without_saving(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    tried = {"tried": "1", "jmespath": "`false`"}
    page = admin_client.post(reverse("admin:mirrors_filter_change", args=[filters[1].pk]), tried).content.decode()
    assert "`false`</textarea>" in page and "is not saved yet" in page
    assert not Filter.objects.filter(jmespath="`false`").exists()
    try_page = reverse("admin:mirrors_filter_try")
    assert "Use in the filter" in admin_client.get(try_page, {"filter": filters[1].pk}).content.decode()
    of_the_file = admin_client.get(try_page, {"filter": filters[0].pk}).content.decode()
    assert "Back to the filter" in of_the_file and "Use in the filter" not in of_the_file


@pytest.mark.parametrize("enabled", ["on", ""])
def test_form_values_are_kept_while_the_expression_is_tried(admin_client: Client, enabled: str) -> None:
    given = {"name": "mine", "jmespath": "`true`", "position": "7", "cluster": "b", "enabled": enabled}
    page = admin_client.post(reverse("admin:mirrors_filter_try"), given).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', page))
    tried = {**hidden, "jmespath": "`false`", "tried": "1"}

    form = admin_client.post(reverse("admin:mirrors_filter_add"), tried).context["adminform"].form

    assert {name: form[name].value() for name in ("name", "jmespath", "cluster")} == {
        "name": "mine",
        "jmespath": "`false`",
        "cluster": "b",
    }
    assert str(form["position"].value()) == "7"
    assert form["enabled"].value() == enabled


def test_a_tried_expression_can_be_saved_as_a_new_filter(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:mirrors_filter_try")).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', page))
    add = reverse("admin:mirrors_filter_add")

    form = admin_client.post(add, {**hidden, "jmespath": "`false`", "tried": "1"}).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value is not None and value is not False}
    admin_client.post(add, {**sent, "name": "mine"})

    row = Filter.objects.get(name="mine")
    assert (row.jmespath, row.position, row.enabled) == ("`false`", 0, True)


def test_the_impact_of_saving_is_computed_from_pods_of_the_last_day(
    admin_client: Client, filters: tuple[Filter, Filter]
) -> None:
    new = sampled("shop", "nginx:1")
    was = sampled("shop", "tools/agent:2", reason="filtered")
    sampled("kube-system", "nginx:1", reason="filtered")
    sampled("shop", "nginx:3", reason="opted-out")
    old = sampled("shop", "nginx:2")
    AdmissionSample.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))

    requested = {"jmespath": "contains(container.image, 'nginx')", "filter": filters[1].pk}
    page = admin_client.post(IMPACT, requested).content.decode()

    assert "3 images of 4 pods" in text_of(page)
    assert "1 would be newly excluded, 1 would be newly mirrored" in re.sub(r" ,", ",", text_of(page))
    left_out, mirrored = page.split("Newly mirrored")
    assert f"/admissionsample/{new.pk}/" in left_out and "nginx:1" in left_out
    assert f"/admissionsample/{was.pk}/" in mirrored and "tools/agent:2" in mirrored


def test_empty_pages_show_what_to_do(admin_client: Client) -> None:
    assert "register the webhook" in text_of(admin_client.get(reverse("admin:mirrors_filter_try")).content.decode())
    assert "No filters yet" in admin_client.get(LIST).content.decode()
    assert "Register the webhook with your cluster" in text_of(
        admin_client.get(reverse("admin:mirrors_admissionsample_changelist")).content.decode()
    )
    empty = text_of(admin_client.post(IMPACT, {"jmespath": "`true`"}).content.decode())
    assert "No pod was sampled in the last 24 hours" in empty


def test_filter_trial_and_explain_pages_require_a_role(client: Client) -> None:
    nobody = User.objects.create_user("nobody", is_staff=True)
    client.force_login(nobody)
    pages = [reverse("admin:mirrors_filter_try"), reverse("explain")]
    assert [client.get(page).status_code for page in pages] == [302, 302]
    assert [client.post(page).status_code for page in (ANSWERS, IMPACT)] == [302, 302]
    nobody.groups.add(Group.objects.get(name=Role.VIEWER.group))
    assert [client.get(page).status_code for page in pages] == [200, 200]


def test_an_admission_shows_its_image_and_the_list_can_be_filtered(admin_client: Client) -> None:
    sample = sampled("shop", "nginx:1")
    sampled("billing", "redis:7")
    page = text_of(admin_client.get(reverse("admin:mirrors_admissionsample_change", args=[sample.pk])).content.decode())
    assert "absent : not mirrored yet" in page and "nginx:1" in page and "Deployment/web" in page
    url = reverse("admin:mirrors_admissionsample_changelist")
    assert "billing" not in admin_client.get(url, {"namespace": "shop"}).content.decode().split("<tbody")[1]
    assert "shop" not in admin_client.get(url, {"decision": "swap"}).content.decode().split("changelist-form")[1]


def test_images_and_pods_that_a_trial_does_not_reach_are_counted(admin_client: Client) -> None:
    def answers(pods: int, images: int, expression: str) -> str:
        containers = [{"name": f"c{number}", "image": f"nginx:{number}"} for number in range(images)]
        pod = json.dumps({"kind": "Pod", "metadata": {"name": "many"}, "spec": {"containers": containers}})
        text = "\n---\n".join([pod] * pods)
        return admin_client.post(ANSWERS, {"jmespath": expression, "pod": text}).content.decode()

    costly = "length(obj.spec.containers" + "[].[@,@]" * 12 + ") > `0`"
    page = answers(20, 100, costly)
    not_tried = [int(number) for number in re.findall(r"The filters were not tried on (\d+) ", page)]
    assert page.count("<code>nginx:") + sum(not_tried) == 2000
    assert len(not_tried) >= 10 and "the time limit was reached" in page and "This pod has no images" not in page

    page = answers(21, 1, "`true`")
    assert page.count("<code>nginx:") == 20 and "1 more pod of the manifest was not tried" in page
    page = answers(1, 103, "`true`")
    assert page.count("<code>nginx:") == 100 and "not tried on 3 more images of this pod" in page
