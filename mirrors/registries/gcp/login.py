"""Our identity at Google: application default credentials, and the access tokens that registries accept as passwords.

google.auth finds the credentials: Workload Identity and the metadata server, a key file, or an external account.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Final

import google.auth
import google.auth.transport.requests
import requests
from google.auth import exceptions
from google.auth.credentials import Credentials

from mirrors.oci import RegistryError
from mirrors.registries.authorities import ca_bundle
from mirrors.registries.cloud_tokens import Token, TokenKeeper

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
USERNAME: Final = "oauth2accesstoken"
TOKEN_SECONDS: Final = 10.0
"""The timeout in seconds for a token from the metadata server or Google, which usually respond within one second."""

LEAST_GOOGLE_SECONDS: Final = 60.0
"""The shortest lifetime of a token that is assumed, in seconds, so that tokens are not requested continuously."""

MOST_GOOGLE_SECONDS: Final = 3600.0
"""The longest lifetime of a token that is assumed, in seconds: Google issues tokens for an hour."""

_CREDENTIALS_ADVICE: Final = (
    "bind the service account by Workload Identity (docs/gcp.md), or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
)


@lru_cache(maxsize=64)
def log_in(host: str, trusted_ca: str | None) -> TokenKeeper:
    """Return the keeper of our token for a registry, which renews it while the process runs."""
    return TokenKeeper(lambda: fetch(host, trusted_ca), host=host)


def fetch(host: str, trusted_ca: str | None) -> Token:
    """Return a new token. The credentials are read each time, because the key file may have been replaced.

    Raises RegistryError."""
    credentials = find_credentials(host, trusted_ca)
    try:
        credentials.refresh(_request(trusted_ca))  # type: ignore[no-untyped-call]
    except exceptions.GoogleAuthError as error:
        raise _problem(error, host) from None
    token, expiry = credentials.token, credentials.expiry
    if not isinstance(token, str) or not token:
        raise RegistryError("credential", f"Google sent an empty token for {host}; the request is retried", host=host)
    lifetime = (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if expiry else MOST_GOOGLE_SECONDS
    return Token(USERNAME, token, min(MOST_GOOGLE_SECONDS, max(LEAST_GOOGLE_SECONDS, lifetime)))


def find_credentials(host: str, trusted_ca: str | None) -> Credentials:
    """Return the application default credentials. Raises RegistryError if there are none."""
    # Without a project in the environment, google.auth requests its ID, which is not needed here.
    os.environ.setdefault("GOOGLE_CLOUD_PROJECT", "unused")
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], request=_request(trusted_ca))
    except exceptions.GoogleAuthError as error:
        raise _problem(error, host) from None
    assert isinstance(credentials, Credentials)
    return credentials


def _request(trusted_ca: str | None) -> Any:
    """Return google.auth's transport with our timeout instead of its default of two minutes."""
    session = requests.Session()
    session.verify = ca_bundle(trusted_ca) or True
    return partial(google.auth.transport.requests.Request(session), timeout=TOKEN_SECONDS)


def _problem(error: exceptions.GoogleAuthError, host: str) -> RegistryError:
    """Return the error for operators. It names only the kind of Google's error, whose text may quote responses."""
    kind = type(error).__name__
    if isinstance(error, exceptions.DefaultCredentialsError):
        text = f"there are no Google credentials for {host}: {_CREDENTIALS_ADVICE}"
    elif isinstance(error, exceptions.TransportError):
        text = f"Google's token server can't be reached for {host}; check the network and the metadata server"
    else:
        text = (
            f"Google did not issue a token for {host} ({kind}): check that the service account exists and "
            f"{_CREDENTIALS_ADVICE}"
        )
    return RegistryError("credential", text, host=host, says_step=True)
