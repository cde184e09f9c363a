"""The output of `helm install` and `helm upgrade`: the next steps, and important warnings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm import FULLNAME, notes

SWAPPING: dict[str, Any] = {"config": {"dryRun": False}}


def test_notes_begin_with_a_dry_run_warning_only_in_dry_run() -> None:
    lines = [line for line in notes().splitlines() if line]

    assert "NOTHING IS SWAPPED OR COPIED" in lines[1]
    assert "config.dryRun=false" in notes()
    assert "DRY RUN" not in notes(SWAPPING)
    assert "DRY RUN" not in notes({"config": {"DRYRUN": False}})


def test_a_dry_run_upgrade_warns_that_the_old_chart_ignored_dry_run() -> None:
    assert "it ignored dryRun" in notes(flags=("--is-upgrade",))
    assert "it ignored dryRun" not in notes()
    assert "it ignored dryRun" not in notes(SWAPPING, flags=("--is-upgrade",))


def test_notes_list_the_next_commands() -> None:
    printed = notes(SWAPPING)

    assert f"helm test {FULLNAME} --namespace swapper" in printed
    assert f"port-forward service/{FULLNAME}-web 8000:80" in printed
    assert f"get secret {FULLNAME}-admin" in printed
    assert f"delete secret {FULLNAME}-app {FULLNAME}-admin {FULLNAME}-postgresql {FULLNAME}-tls" in printed


@pytest.mark.parametrize(
    ("web", "address"),
    [
        ({"ingress": {"enabled": True, "hosts": ["a.example.com"]}}, "http://a.example.com"),
        (
            {"ingress": {"enabled": True, "hosts": ["a.example.com"], "tls": [{"secretName": "a"}]}},
            "https://a.example.com",
        ),
        ({"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["b.example.com"]}}, "https://b."),
        ({"externalUrl": "https://swapper.example.com"}, "https://swapper.example.com"),
    ],
)
def test_notes_show_the_dashboard_address_instead_of_port_forward(web: dict[str, Any], address: str) -> None:
    printed = notes({"web": web})

    assert address in printed
    assert "port-forward" not in printed


def test_notes_report_empty_trusted_proxies_for_an_https_url() -> None:
    url = {"externalUrl": "https://swapper.example.com"}

    assert "web.trustedProxies is empty" in notes({"web": url})
    assert "trustedProxies" not in notes({"web": {**url, "trustedProxies": ["10.0.0.0/8"]}})
    assert "trustedProxies" not in notes()


def test_notes_explain_network_settings_for_private_clusters() -> None:
    printed = notes({"containerPort": 9443})

    assert "add a firewall rule for\n9443, or set containerPort=10250" in printed
    assert "hostNetwork=true" in printed


@pytest.mark.parametrize(
    ("values", "is_warned"),
    [
        ({}, True),
        ({"config": {"target": {"aws": {"accountId": "123456789012"}}}}, False),
        ({"config": {"target": {"type": "oci", "oci": {"endpoint": "registry.example.com"}}}}, False),
    ],
)
def test_notes_report_the_placeholder_account_id_only_if_it_is_used(values: dict[str, Any], is_warned: bool) -> None:
    assert ("placeholder 12345678" in notes(values)) == is_warned


def test_commands_in_notes_read_only_the_existing_admin_secret() -> None:
    assert "get secret" not in notes({"admin": {"existingSecret": "mine"}}).replace("get secret mine", "")
