"""The documented alert rules on real metrics of webhook, web and worker: they fire only if something is wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import urllib3

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.docs.markdown import code, rows
from tests.support.alerts import Page, Term, fires, read_page, terms_of
from tests.support.authority import Authority
from tests.support.databases import ROOT, DatabaseTemplate
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Webhook, pod_of, web_process, write_config

DOC = ROOT / "docs/metrics.md"
ROLES = ("webhook", "web", "worker")
RULES = [code(cells[0])[0] for cells in rows(DOC, "Expression", "Meaning, and what to do")]
OF_CLUSTERS = [code(cells[0])[0] for cells in rows(DOC, "Expression", "For a cluster")]
"""Rules on metrics of a watcher, which the healthy system of this module does not have."""
WHERE = {code(cells[0])[0]: cells[1].split(", ") for cells in rows(DOC, "Metric", "Where", "Labels", "Meaning")}
THIRTY_DAYS = dt.timedelta(days=30)
FAILING = "starts_with(obj.metadata.labels.team, 'x')"
"""A filter that fails with an error on a pod without that label."""


@dataclass(frozen=True)
class System:
    """A healthy installation: one process of each role, and the URLs of their metrics."""

    webhook: Webhook
    urls: dict[str, str]
    source: MemoryRegistry

    def pages(self) -> dict[str, Page]:
        return {role: self.page(role) for role in ROLES}

    def page(self, role: str) -> Page:
        response = POOL.request("GET", f"{self.urls[role]}/metrics", retries=5, timeout=10)
        assert response.status == 200
        return read_page(response.data.decode())

    def admit(self, **labels: str) -> None:
        self.webhook.admit(pod_of(f"{self.source.host}/team/app:1.0", labels=labels))


@pytest.fixture(scope="module")
def system(database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    directory = tmp_path_factory.mktemp("system")
    pair = directory / "tls.crt", directory / "tls.key"
    Authority(directory).issue(*pair, valid_for=THIRTY_DAYS)
    extra = {"SWAPPER_TLS_CERT_FILE": str(pair[0]), "SWAPPER_TLS_KEY_FILE": str(pair[1])}
    with MemoryRegistry() as source, MemoryRegistry() as target, database_template.copy(directory) as url:
        sample_image(seed=1, layers=1, layer_bytes=1_000).load(source.storage, "team/app", "1.0")
        registries = [{"type": "oci", "host": source.host, "insecure": True}]
        section = {"registries": registries, "filters": [{"jmespath": FAILING}]}
        config = write_config(directory / "config.yaml", target=target.host, source=section)
        webhook = Webhook(config, url, directory, extra)
        webhook.prepare()
        with running(webhook, source) as made:
            yield made


@contextlib.contextmanager
def running(webhook: Webhook, source: MemoryRegistry) -> Iterator[System]:
    ports = {"web": free_port(), "worker": free_port()}
    webhook.start()
    # Only the webhook uses the certificate.
    others = replace(webhook, extra={})
    worker = others.worker()
    worker.environment = {**worker.environment, "SWAPPER_BIND": f"127.0.0.1:{ports['worker']}"}
    worker.start()
    urls = {"webhook": webhook.url, **{role: f"http://127.0.0.1:{port}" for role, port in ports.items()}}
    made = System(webhook, urls, source)
    try:
        with web_process(others, ports["web"]):
            for role in ("web", "worker"):
                wait_until(lambda role=role: is_served(made.urls[role]), timeout=60, what=f"the page of {role}")  # type: ignore[misc]
            yield made
    finally:
        worker.stop()
        webhook.stop()


def is_served(url: str) -> bool:
    try:
        return POOL.request("GET", f"{url}/metrics", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_no_documented_rule_fires_on_a_healthy_system(system: System) -> None:
    before = system.pages()
    system.admit(team="y")
    after = system.pages()

    fired = [(rule, role) for rule in RULES for role in ROLES if fires(rule, after[role], before[role])]

    assert fired == []


def test_the_first_filter_error_fires_only_its_rule(system: System) -> None:
    before = system.pages()
    system.admit(other="label")
    after = system.pages()

    fired = [(rule, role) for rule in RULES for role in ROLES if fires(rule, after[role], before[role])]

    assert fired == [("increase(swapper_filter_errors_total[1h]) > 0", "webhook")]


def test_each_role_exposes_only_its_documented_metrics(system: System) -> None:
    system.admit(team="y")
    for role, page in system.pages().items():
        shown = {family_of(name) for name, _ in page if name.startswith("swapper_")}
        assert shown <= {name for name, roles in WHERE.items() if role in roles}, role


def test_metrics_in_alert_rules_are_exposed_by_their_role(system: System) -> None:
    pages = system.pages()
    for rule in RULES:
        for term in terms_of(rule):
            for role in WHERE[term.name]:
                assert is_shown(term, pages[role]), f"{term.name} is not on the page of {role}"


def is_shown(term: Term, page: Page) -> bool:
    return any(name == term.name and term.labels <= labels for name, labels in page)


def family_of(sample: str) -> str:
    """Return the name of the metric family, under which a histogram is documented."""
    return re.sub(r"_(bucket|count|sum)$", "", sample)


def test_metrics_in_cluster_alert_rules_are_documented() -> None:
    assert {term.name for rule in OF_CLUSTERS for term in terms_of(rule)} <= WHERE.keys()


@pytest.mark.parametrize("rule", [*RULES, *OF_CLUSTERS])
def test_each_rule_can_fire(rule: str) -> None:
    for term in terms_of(rule):
        series = term.name, term.labels | {("operation", "CREATE")}
        assert any(fires(rule, {series: value}, {series: 0.0}) for value in (0.0, 1.0, 1_000.0)), term
        assert not fires(rule, {}, {})
