"""Monitors, alerts and dashboard use existing metrics, promtool accepts the rules, and each alert has a runbook."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.markdown import anchors, code, rows
from tests.support.databases import ROOT
from tests.support.go_tools import require
from tests.support.helm import FULLNAME, containers, render

RUNBOOKS = ROOT / "docs/runbooks.md"
ENABLED: dict[str, Any] = {
    "metrics": {kind: {"enabled": True} for kind in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboard")}
}
FOREIGN = {
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}
"""Metrics of the API server, and metrics that every process has."""


def documented() -> set[str]:
    """Return the metrics in docs/metrics.md, with the buckets of histograms."""
    names = {code(cells[0])[0] for cells in rows(ROOT / "docs/metrics.md", "Metric", "Where", "Labels", "Meaning")}
    return names | {f"{name}_bucket" for name in names if name.endswith("_seconds")} | FOREIGN


def metrics_of(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:swapper|apiserver|process)_[a-z_]+", expression))


def rules() -> list[dict[str, Any]]:
    (group,) = render(ENABLED).get("PrometheusRule")["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        render(ENABLED).get("ConfigMap", f"{FULLNAME}-dashboard")["data"]["k8s-image-swapper.json"]
    )
    return found


def test_no_monitoring_objects_are_rendered_by_default() -> None:
    kinds = {found["kind"] for found in render().objects}

    assert not kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert not render().has("ConfigMap", f"{FULLNAME}-dashboard")


def test_webhook_metrics_are_scraped_over_verified_tls() -> None:
    (endpoint,) = render(ENABLED).get("ServiceMonitor")["spec"]["endpoints"]

    assert (endpoint["port"], endpoint["scheme"], endpoint["path"]) == ("https", "https", "/metrics")
    assert endpoint["tlsConfig"] == {
        "serverName": f"{FULLNAME}.swapper.svc",
        "ca": {"secret": {"name": f"{FULLNAME}-tls", "key": "ca-bundle.crt"}},
    }


def test_monitors_select_one_service_or_the_worker_and_existing_ports() -> None:
    manifests = render(ENABLED)
    for monitor in manifests.all("ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [s for s in manifests.all("Service") if s["metadata"]["labels"].items() >= selector.items()]
        assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    pod = manifests.get("PodMonitor", f"{FULLNAME}-worker")["spec"]
    template = manifests.deployment("worker")["spec"]["template"]
    assert template["metadata"]["labels"].items() >= pod["selector"]["matchLabels"].items()
    assert "metrics" in [port["name"] for port in containers(template)[-1]["ports"]]


def test_service_monitor_labels_and_interval_are_set_from_values() -> None:
    values = {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prom"}, "interval": "15s"}}}

    for monitor in render(values).all("ServiceMonitor"):
        assert monitor["metadata"]["labels"]["release"] == "prom"
        assert monitor["spec"]["endpoints"][0]["interval"] == "15s"


def test_promtool_accepts_the_alert_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(render(ENABLED).get("PrometheusRule")["spec"]))
    result = subprocess.run(
        [require("promtool"), "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stderr
    assert f"{len(rules())} rules found" in result.stdout


ALERTS = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'swapper_swap_enabled{namespace="swapper",pod="a"}', values: '1x120'}
      - {series: 'swapper_dry_run{namespace="swapper",pod="a"}', values: '0x120'}
      - {series: 'swapper_database_available{namespace="swapper",pod="a"}', values: '1x120'}
      - {series: 'swapper_webhook_certificate_expiry_seconds{namespace="swapper",pod="a"}', values: '5000000x120'}
      - {series: 'swapper_webhook_certificate_problem{namespace="swapper",pod="a"}', values: '0x120'}
      - {series: 'swapper_config_problem{namespace="swapper",pod="a"}', values: '0x120'}
      - {series: 'swapper_job_oldest_seconds{namespace="swapper",priority="delayed"}', values: '0x120'}
      - {series: 'swapper_target_unhealthy{namespace="swapper",registry="m"}', values: '0x120'}
      - {series: 'swapper_failing_pulls{namespace="swapper",at="source",reason="denied"}', values: '3x120'}
      - {series: 'swapper_watcher_leads{namespace="swapper",pod="a"}', values: '1x120'}
      - {series: 'swapper_watcher_leads{namespace="swapper",pod="b"}', values: '0x120'}
      - {series: 'swapper_watcher_problem{namespace="swapper",pod="a"}', values: '0x120'}
    alert_rule_test:
      - {eval_time: 90m, alertname: ALERT}
  - interval: 1m
    input_series: SERIES
    promql_expr_test:
      - expr: 'count(ALERTS{alertname="ALERT",alertstate="firing"})'
        eval_time: 90m
        exp_samples: [{labels: '{}', value: 1}]
"""
SAMPLES = {
    "ImageSwapperWebhookDown": ('up{namespace="swapper"}', "0x120"),
    "ImageSwapperWebhookSlow": ('swapper_admission_duration_seconds_bucket{namespace="swapper",le="+Inf"}', "0+60x120"),
    "ImageSwapperWebhookBypassed": (
        'apiserver_admission_webhook_fail_open_count{name="k8s-image-swapper.github.io",type="admit"}',
        "0+1x120",
    ),
    "ImageSwapperReviewErrors": ('swapper_admission_requests_total{namespace="swapper",outcome="error"}', "0+1x120"),
    "ImageSwapperAnswersStale": ('swapper_existence_stale_seconds{namespace="swapper"}', "4000x120"),
    "ImageSwapperTargetRefuses": ('swapper_breaker_open{namespace="swapper",host="target"}', "1x120"),
    "ImageSwapperTargetUnhealthy": ('swapper_target_unhealthy{namespace="swapper",registry="m"}', "1x120"),
    "ImageSwapperPullsFail": ('swapper_failing_pulls{namespace="swapper",at="target",reason="denied"}', "3x120"),
    "ImageSwapperRestartLoop": ('swapper_restart_loops{namespace="swapper",cluster="default"}', "1x120"),
    "ImageSwapperQueueStuck": ('swapper_job_oldest_seconds{namespace="swapper",priority="delayed"}', "1000x120"),
    "ImageSwapperCertificateExpires": ('swapper_webhook_certificate_expiry_seconds{namespace="swapper"}', "500000x120"),
    "ImageSwapperCertificateInvalid": ('swapper_webhook_certificate_problem{namespace="swapper"}', "1x120"),
    "ImageSwapperQuotaReached": ('swapper_images_total{namespace="swapper",reason="quota"}', "0+1x120"),
    "ImageSwapperMirrorTampered": ('swapper_images_total{namespace="swapper",reason="tampered"}', "0+1x120"),
    "ImageSwapperDatabaseUnavailable": ('swapper_database_available{namespace="swapper"}', "0x120"),
    "ImageSwapperClusterNotWatched": ('swapper_watcher_leads{namespace="swapper"}', "0x120"),
    "ImageSwapperWatcherProblem": ('swapper_watcher_problem{namespace="swapper"}', "1x120"),
    "ImageSwapperConfigurationInvalid": ('swapper_config_problem{namespace="swapper"}', "1x120"),
    "ImageSwapperFilterFails": ('swapper_filter_errors_total{namespace="swapper",filter="a"}', "0+1x120"),
    "ImageSwapperDryRun": ('swapper_dry_run{namespace="swapper"}', "1x120"),
    "ImageSwapperSwitchedOff": ('swapper_swap_enabled{namespace="swapper"}', "0x120"),
    "ImageSwapperWorkloadsUnprotected": ('swapper_unprotected_workloads{namespace="swapper",cluster="a"}', "3x120"),
    "ImageSwapperCopiesFail": ('swapper_job_attempts_total{namespace="swapper",outcome="failed"}', "0+1x120"),
}
"""For each alert, a series and the values for which the alert fires."""


def test_each_alert_has_a_sample() -> None:
    assert sorted(SAMPLES) == sorted(rule["alert"] for rule in rules())


@pytest.mark.parametrize("alert", SAMPLES)
def test_an_alert_fires_for_its_sample_and_not_for_healthy_series(alert: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(render(ENABLED).get("PrometheusRule")["spec"]))
    series, values = SAMPLES[alert]
    given = [{"series": series, "values": values}]
    if "+Inf" in series:
        given += [
            {"series": series.replace("+Inf", bound), "values": v} for bound, v in (("2", "0x120"), ("5", values))
        ]
    text = ALERTS.replace('"ALERT"', f'"{alert}"').replace(": ALERT}", f": {alert}}}")
    (tmp_path / "test.yaml").write_text(text.replace("SERIES", json.dumps(given)))
    command = [require("promtool"), "test", "rules", str(tmp_path / "test.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ["ImageSwapperWebhookDown", "ImageSwapperClusterNotWatched"])
def test_an_alert_fires_when_its_metrics_are_absent(alert: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(render(ENABLED).get("PrometheusRule")["spec"]))
    series = [{"series": "other", "values": "1x120"}]
    text = ALERTS.replace('"ALERT"', f'"{alert}"').replace(": ALERT}", f": {alert}}}")
    (tmp_path / "test.yaml").write_text(text.replace("SERIES", json.dumps(series)))
    command = [require("promtool"), "test", "rules", str(tmp_path / "test.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert result.returncode == 0, result.stdout + result.stderr


def test_alerts_use_only_documented_metrics() -> None:
    for rule in rules():
        assert metrics_of(rule["expr"]) <= documented(), rule["alert"]


def test_alerts_select_only_their_own_namespace() -> None:
    for rule in rules():
        for metric in re.findall(r"\bswapper_[a-z_]+(\{[^}]*\})?", rule["expr"]):
            assert 'namespace="swapper"' in metric, rule["alert"]


def test_each_alert_has_a_runbook_and_a_severity() -> None:
    for rule in rules():
        address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert address.endswith("/docs/runbooks.md")
        assert anchor in anchors(RUNBOOKS), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_each_runbook_belongs_to_an_alert() -> None:
    found = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in rules()}
    headings = re.findall(r"^## (ImageSwapper\w+)$", RUNBOOKS.read_text(), re.MULTILINE)

    assert len(headings) == len(found)


def expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def test_the_dashboard_uses_only_documented_metrics() -> None:
    for expression in expressions():
        assert metrics_of(expression) <= documented(), expression


def test_promtool_accepts_the_dashboard_expressions(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m").replace("$namespace", "swapper")}
        for number, text in enumerate(expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    result = subprocess.run(
        [require("promtool"), "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stderr


def test_the_dry_run_panel_shows_dry_run_in_capitals() -> None:
    (panel,) = [panel for panel in dashboard()["panels"] if panel["title"] == "Dry run"]

    assert "DRY RUN" in json.dumps(panel["fieldConfig"])


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
