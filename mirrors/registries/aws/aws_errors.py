"""Errors of AWS, in words that operators can act on: the missing permission, its ARN, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from botocore import exceptions as aws

from mirrors.oci import RegistryError
from mirrors.oci.common.errors import Code
from mirrors.registries.aws.accounts import forget_clients

DOCS: Final = "docs/aws.md has the policies"
THROTTLED_PAUSE: Final = 30.0
"""Seconds for which a host counts as rate limited when AWS throttles a call: its token buckets refill within a few."""

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})
_THROTTLED: Final = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled"}
)
_CLOCK: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_SIGNATURE: Final = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"})
_CALLER: Final = re.compile(r"User: (arn:[\w:/+=,.@-]{1,300})")
_CHAIN: Final = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment, a service account with a role (IRSA), EKS Pod "
    "Identity, or an instance profile"
)


@dataclass(frozen=True, slots=True)
class AwsCall:
    """The subject of a call: the registry's host, the ARN on which the permission is needed, and names for messages."""

    host: str
    arn: str
    region: str
    role: str | None = None
    kms_key: str | None = None


@contextmanager
def translate_aws_errors(call: AwsCall) -> Iterator[None]:
    """Raise errors of botocore and the operating system inside the block as RegistryError."""
    try:
        yield
    except aws.ClientError as error:
        registry_error = _refusal(error, call)
    except (aws.BotoCoreError, OSError) as error:
        registry_error = _no_response_error(error, call)
    else:
        return
    if registry_error.code == "credential":
        forget_clients()
    raise registry_error


def code_of(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(error: aws.ClientError, call: AwsCall) -> RegistryError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))[:400]
    service = "sts" if error.operation_name.startswith("AssumeRole") else "ecr"
    action = f"{service}:{error.operation_name}"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DENIED:
        return _denied(action, message, call)
    if code in _THROTTLED:
        text = f"AWS throttles {action} in {call.region}; the call is retried later. Raise the quota if this continues."
        return RegistryError("rate-limited", text, host=call.host, retry_after=THROTTLED_PAUSE, says_step=True)
    if problem := _credentials_problem(code, message, call):
        return RegistryError(
            "credential", f"AWS rejected our credentials for {action}: {problem}", host=call.host, says_step=True
        )
    if code == "KmsException":
        text = (
            f"AWS KMS refused the key {call.kms_key or 'that is configured'} ({message}): check that it exists in "
            f"{call.region} and is enabled, and that its key policy lets this identity use kms:CreateGrant and "
            "kms:DescribeKey"
        )
        return RegistryError("invalid", text, host=call.host, says_step=True)
    if status >= 500:
        return RegistryError(
            "unavailable", f"AWS returned an error for {action} in {call.region} ({code})", host=call.host
        )
    advice = ": ask AWS for a higher quota" if code == "LimitExceededException" else ""
    return RegistryError(
        "invalid",
        f"AWS refused {action} for {call.arn} ({code}: {message}){advice}",
        host=call.host,
        says_step=bool(advice),
    )


def _denied(action: str, message: str, call: AwsCall) -> RegistryError:
    caller = match[1] if (match := _CALLER.search(message)) else "our identity"
    if action.startswith("sts:"):
        text = (
            f"AWS refused {action} on {call.role or 'the role of the service account'} to {caller}: the role's trust "
            f"policy must name that identity, and the identity needs {action} on the role; {DOCS}"
        )
        return RegistryError("credential", text, host=call.host, says_step=True)
    why = "an explicit deny applies" if "explicit deny" in message else "no policy allows it"
    text = f"AWS refused {action} on {call.arn} to {caller} because {why}: allow this action on this ARN; {DOCS}"
    return RegistryError("denied", text, host=call.host, says_step=True)


def _credentials_problem(code: str, message: str, call: AwsCall) -> str:
    """Return the problem of credentials that AWS rejected; empty for other errors."""
    if code in _CLOCK or (code in _SIGNATURE and ("expired" in message or "not yet current" in message)):
        return "the clock of this machine is off by minutes; synchronise it (chrony, NTP)"
    advice = next((text for codes, text in _CREDENTIAL_ADVICE if code in codes), "")
    return advice.format(region=call.region, code=code)


def _no_response_error(error: Exception, call: AwsCall) -> RegistryError:
    """Return the error of a call that failed before AWS responded. Except for invalid requests, it names only the kind
    of the original error, whose text may contain URLs."""
    if isinstance(error, aws.ParamValidationError | aws.InvalidRegionError):
        return RegistryError("invalid", f"AWS rejected the request: {str(error)[:300]}", host=call.host)
    code, text = next((code, text) for kinds, code, text in _NO_RESPONSE_ERRORS if isinstance(error, kinds))
    text = text.format(host=call.host, region=call.region, kind=type(error).__name__, chain=_CHAIN)
    return RegistryError(code, text, host=call.host, permanent=False, says_step=True)


_CREDENTIAL_ADVICE: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (_SIGNATURE, "the secret key does not belong to the access key; check aws_secret_access_key"),
    (
        frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure"}),
        "the access key is unknown in {region}; check aws_access_key_id, and that it was not deleted",
    ),
    (
        frozenset({"ExpiredToken", "ExpiredTokenException"}),
        "the session token has expired; renew it, or use the role of a service account",
    ),
    (
        frozenset({"InvalidIdentityToken", "IDPCommunicationError"}),
        "the service account's token was rejected ({code}); check the OIDC provider and the role's trust policy",
    ),
    (frozenset({"OptInRequired"}), "the account is not opted in to {region}; opt in, or configure another region"),
)

_NO_RESPONSE_ERRORS: Final[tuple[tuple[tuple[type[Exception], ...], Code, str], ...]] = (
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError),
        "credential",
        "there are no AWS credentials for {host}: configure {chain}",
    ),
    (
        (aws.SSLError,),
        "tls",
        "the certificate of AWS in {region} was refused: is there a proxy whose authority belongs in trustedCA?",
    ),
    (
        (aws.ConnectTimeoutError, aws.ReadTimeoutError),
        "timeout",
        "AWS in {region} did not respond in time; check the network, the proxy and VPC endpoints",
    ),
    (
        (aws.HTTPClientError, aws.ConnectionError),
        "unavailable",
        "AWS in {region} can't be reached: check the spelling of the region, the network, the proxy and VPC endpoints",
    ),
    ((Exception,), "credential", "the AWS credentials for {host} cannot be obtained ({kind}): check {chain}"),
)
