"""ECR tokens, which GetAuthorizationToken issues for twelve hours, for all registries of the identity."""

from __future__ import annotations

import base64
from email.utils import parsedate_to_datetime
from functools import lru_cache

from mirrors.oci import RegistryError
from mirrors.registries.aws.accounts import AwsAccount, client
from mirrors.registries.aws.aws_errors import AwsCall, translate_aws_errors
from mirrors.registries.cloud_tokens import Token, TokenKeeper

LEAST_ECR_SECONDS = 60.0
"""The shortest lifetime of a token that is assumed, in seconds, so that tokens are not requested continuously."""

MOST_ECR_SECONDS = 12 * 3600.0
"""The longest lifetime of a token that is assumed, in seconds: ECR issues tokens for twelve hours at most."""


@lru_cache(maxsize=64)
def log_in(account: AwsAccount, host: str) -> TokenKeeper:
    """Return the keeper of an identity's token for a registry, which renews it while the process runs."""
    return TokenKeeper(lambda: fetch(account, host), host=host)


def fetch(account: AwsAccount, host: str) -> Token:
    """Return a new token. Raises RegistryError."""
    with translate_aws_errors(AwsCall(host, "*", account.region, account.role)):
        response = client(account).get_authorization_token()
    data = response["authorizationData"][0]
    username, colon, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    if not colon or not password:
        raise RegistryError("credential", f"AWS sent an empty token for {host}; the request is retried", host=host)
    # By the clock of AWS, because ours may be off by some minutes.
    now = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    lifetime = (data["expiresAt"] - now).total_seconds()
    return Token(username, password, min(MOST_ECR_SECONDS, max(LEAST_ECR_SECONDS, lifetime)))
