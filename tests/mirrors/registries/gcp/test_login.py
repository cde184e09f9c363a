"""Tokens of Google from the metadata server, a key file or an external account, with retries and clear errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mirrors.oci import RegistryError
from mirrors.registries.gcp.login import fetch, log_in
from tests.support.databases import ROOT
from tests.support.google import HOST, TokenServer
from tests.support.registries import PASSWORD


def test_the_metadata_server_issues_the_token(metadata: TokenServer) -> None:
    """On GKE, Workload Identity responds instead of the metadata server."""
    metadata.lifetime = 1_800
    token = fetch(HOST, None)
    assert (token.username, token.password) == ("oauth2accesstoken", PASSWORD)
    assert 1_400 < token.lifetime <= 1_800
    assert PASSWORD not in repr(token)


def test_a_key_file_issues_the_token(metadata: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    use_file(
        {
            "type": "service_account",
            "client_email": "swapper@p.iam.gserviceaccount.com",
            "private_key": key.decode(),
            "token_uri": f"{metadata.url}/token",
        },
        tmp_path,
        monkeypatch,
    )
    assert fetch(HOST, None).password == PASSWORD
    assert metadata.asked == ["/token"]


def test_an_external_account_issues_the_token(
    metadata: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subject").write_text("a token of the cluster's own issuer")
    use_file(
        {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{metadata.url}/sts/token",
            "credential_source": {"file": str(tmp_path / "subject")},
        },
        tmp_path,
        monkeypatch,
    )
    assert fetch(HOST, None).password == PASSWORD
    assert "/sts/token" in metadata.asked


def use_file(document: dict[str, Any], directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "key.json").write_text(json.dumps(document))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(directory / "key.json"))


def test_missing_credentials_are_reported_with_the_ways_to_configure_them() -> None:
    """Runs in a separate process, because google.auth reads this variable only once."""
    script = f"from mirrors.registries.gcp.login import fetch; fetch({HOST!r}, None)"
    environment = {"PATH": os.environ["PATH"], "NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": "/nonexistent", "HOME": "/"}
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert "RegistryError" in last and HOST in last
    assert "Workload Identity" in last and "GOOGLE_APPLICATION_CREDENTIALS" in last


def test_a_denied_account_is_reported_without_the_response_of_google(metadata: TokenServer) -> None:
    metadata.status = 403
    with pytest.raises(RegistryError) as caught:
        fetch(HOST, None)
    assert caught.value.code == "credential" and "service account" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_slow_metadata_server_does_not_delay_a_request_beyond_its_timeout(metadata: TokenServer) -> None:
    metadata.go.clear()
    keeper = log_in(HOST, None)
    with pytest.raises(RegistryError, match="was not issued in time"):
        keeper.issue(timeout=0.2)
    metadata.go.set()
    credential = keeper.issue(timeout=10).credential
    assert credential is not None and credential.password == PASSWORD
