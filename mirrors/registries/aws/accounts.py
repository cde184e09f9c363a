"""Our identities at AWS: the usual credential chain, a role that is assumed if one is configured, and clients.

The chain is botocore's: environment, shared file, web identity (IRSA), container (EKS Pod Identity), instance profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config as ClientConfig
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session as CoreSession
from botocore.session import get_session

from mirrors.registries.authorities import ca_bundle

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient

CONNECT_SECONDS: Final = 5
"""The timeout in seconds of a connection to AWS, which usually takes milliseconds."""

READ_SECONDS: Final = 20
"""The timeout in seconds of a response of AWS; creating a repository takes some seconds."""

TRIES: Final = 5
"""The largest number of attempts of a call, with the SDK's own pauses between them."""

SESSION_NAME: Final = "k8s-image-swapper"


@dataclass(frozen=True, slots=True)
class AwsAccount:
    """A region of AWS, accessed with one identity. ``role`` is assumed with the credentials of the chain."""

    region: str
    role: str | None = None
    fips: bool = False
    dual_stack: bool = False
    trusted_ca: str | None = None

    def ecr(self) -> ECRClient:
        """Return a client with timeouts. It retries throttled calls in botocore's adaptive mode."""
        return boto3.Session(botocore_session=self._session()).client(
            "ecr", config=self._config(), verify=ca_bundle(self.trusted_ca)
        )

    def _session(self) -> CoreSession:
        session = get_session()
        session.set_config_variable("region", self.region)
        # Raised here, and so not cached in a client, because the credentials may be added later.
        if session.get_credentials() is None:
            raise NoCredentialsError
        if self.role is not None:
            fetcher = AssumeRoleCredentialFetcher(
                client_creator=self._sts_creator(session),
                source_credentials=session.get_credentials(),
                role_arn=self.role,
                extra_args={"RoleSessionName": SESSION_NAME},
            )
            # botocore refreshes these 15 minutes before they expire. The session has no public method to set them.
            refreshed = DeferredRefreshableCredentials(fetcher.fetch_credentials, method="assume-role")
            session._credentials = refreshed  # type: ignore[attr-defined]
        return session

    def _config(self) -> ClientConfig:
        return ClientConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": TRIES},
            use_fips_endpoint=self.fips or None,
            use_dualstack_endpoint=self.dual_stack or None,
        )

    def _sts_creator(self, session: CoreSession) -> Callable[..., Any]:
        return partial(
            session.create_client, region_name=self.region, config=self._config(), verify=ca_bundle(self.trusted_ca)
        )


def forget_clients() -> None:
    """Discard the cached clients. New ones read the credentials again: keys in a file may have been replaced."""
    client.cache_clear()


@lru_cache(maxsize=64)
def client(account: AwsAccount) -> ECRClient:
    """Return the client of an account. It is created at the first use, and so never before a fork."""
    return account.ecr()
