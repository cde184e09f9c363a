"""Errors of registries, with messages that operators can act on.

The next steps for HTTP statuses and OCI error codes are defined only here.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

Code = Literal[
    "not-found",
    "denied",
    "unauthorized",
    "rate-limited",
    "unavailable",
    "timeout",
    "bad-digest",
    "unsupported",
    "invalid",
    "too-large",
    "address-refused",
    "tls",
    "tag-immutable",
    "conflict",
    "credential",
]

TRANSIENT: Final = frozenset({"rate-limited", "unavailable", "timeout", "conflict", "credential"})
RETRYABLE_STATUSES: Final = frozenset({408, 429, 499, 522})
MAX_ERROR_BYTES: Final = 64 * 1024
"""The number of bytes of an error reply's body that are read; real ones have a few hundred."""

MAX_MESSAGE_CHARACTERS: Final = 1_000
"""The number of characters of a registry's own message that are searched; real ones have a few hundred."""

_OCI_CODE = re.compile(r"[A-Za-z_]{1,40}")
_CODE_BY_STATUS: Final[dict[int, Code]] = {
    401: "unauthorized",
    403: "denied",
    404: "not-found",
    405: "unsupported",
    409: "conflict",
    413: "too-large",
    415: "unsupported",
    416: "unavailable",
    501: "unsupported",
}
_RETRYABLE_CODES: Final[dict[int, Code]] = {429: "rate-limited"}
"""The codes of statuses after which the same request may succeed; all others are `unavailable`."""
_BY_OCI_CODE: Final[dict[str, Code]] = {
    "DIGEST_INVALID": "bad-digest",
    "TAG_INVALID": "tag-immutable",
    "ImageTagAlreadyExistsException": "tag-immutable",
    "ImageAlreadyExistsException": "tag-immutable",
    "PRECONDITION": "tag-immutable",
    "UNSUPPORTED": "unsupported",
    "DENIED": "denied",
    # The upload session has expired: another one is opened.
    "BLOB_UPLOAD_UNKNOWN": "unavailable",
}
_CONTENT_CODES: Final = frozenset(
    {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "LayersNotFoundException"}
)
"""Codes of replies to a pushed manifest whose content the registry does not see. Only the first is in the distribution
API."""
_ADVICE: Final[dict[Code, str]] = {
    "rate-limited": "configure credentials for the registry, or wait for its limit to reset",
    "tag-immutable": "the tag exists with different content and cannot be changed",
}
_ADVICE_WITH_CREDENTIALS: Final[dict[Code, str]] = {
    "unauthorized": "the registry rejected the credentials: check the username and password, and that the image exists",
    "denied": "check the permissions of these credentials in this repository",
}
_ADVICE_WITHOUT_CREDENTIALS: Final[dict[Code, str]] = {
    "unauthorized": "it needs authentication: configure credentials for this registry, and check that the image exists",
    "denied": "anonymous access is not allowed: configure credentials for this registry",
}
_CONDITIONS: Final[tuple[tuple[re.Pattern[str], Code, str], ...]] = (
    (
        re.compile(r"read[ -]?only", re.IGNORECASE),
        "unavailable",
        "the registry is read-only and accepts no pushes at the moment: check whether it is under maintenance",
    ),
    (
        re.compile(r"quota|exceed", re.IGNORECASE),
        "denied",
        "a quota of the registry is used up: delete unused images there, or raise the quota",
    ),
)
"""Patterns in the message of a DENIED that permissions do not cause, each with its code and the next step."""

PROXY_LIMIT: Final = (
    "a proxy in front of the registry, or the registry itself, limits the size of a request: raise that limit "
    "(nginx: client_max_body_size)"
)


class CopyCancelledError(Exception):
    """The caller cancelled this copy."""


class RegistryError(Exception):
    """A registry, or the connection to it, failed. `str()` is safe to show: it contains no URL, credential or reply
    text.

    `host` is the registry as it is configured or named by an image, whichever of its servers failed. `retry_after` is
    in seconds, set if it is known how long to wait. `credentials_sent` is whether the request carried credentials that
    could be refused, None if that is not known. `says_step` is True if the message itself contains the next step; if
    not, operators are shown the step of its code.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        host: str,
        permanent: bool | None = None,
        retry_after: float | None = None,
        credentials_sent: bool | None = None,
        says_step: bool = False,
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.host = host
        self.permanent = code not in TRANSIENT if permanent is None else permanent
        self.retry_after = retry_after
        self.credentials_sent = credentials_sent
        self.says_step = says_step


def is_retryable(status: int) -> bool:
    """Return whether the same request may succeed later: 408, 429, 499, 522 and any 5xx but 501 (not implemented)."""
    return status in RETRYABLE_STATUSES or (status >= 500 and status != 501)


def oci_codes(body: bytes) -> list[str]:
    """Return the `errors[].code` values of an OCI error reply. The registry's own messages are left out."""
    codes = (error.get("code") for error in _errors(body))
    return [code for code in codes if isinstance(code, str) and _OCI_CODE.fullmatch(code)]


def _errors(body: bytes) -> list[dict[str, Any]]:
    """Return the errors of an OCI error reply, the first three at most."""
    try:
        errors = json.loads(body[:MAX_ERROR_BYTES])["errors"][:3]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _condition(body: bytes) -> tuple[Code, str] | None:
    """Return the code and the next step for a DENIED that no credentials can change, else None."""
    messages = [error.get("message") for error in _errors(body) if error.get("code") == "DENIED"]
    text = " ".join(message[:MAX_MESSAGE_CHARACTERS] for message in messages if isinstance(message, str))
    return next(((code, advice) for pattern, code, advice in _CONDITIONS if pattern.search(text)), None)


class ContentNotSeenError(RegistryError):
    """A registry refuses a manifest because it does not see content that the manifest refers to."""


def content_not_seen(status: int, body: bytes, *, host: str, action: str) -> ContentNotSeenError | None:
    """Return the error for a reply that refuses a manifest because the registry does not see content that the manifest
    refers to; None for any other reply. Distribution also reports DIGEST_INVALID while it writes the link to a blob."""
    codes = oci_codes(body)
    if status not in (400, 404, 422) or _CONTENT_CODES.isdisjoint(codes):
        return None
    message = (
        f"{action}: {host} responded with {status} ({', '.join(codes)}); it does not find a layer or manifest that "
        "this one refers to: the next attempt copies what is missing. If this repeats, check the registry's storage "
        "and its garbage collection"
    )
    return ContentNotSeenError("unavailable", message, host=host, says_step=True)


def error_from_reply(status: int, body: bytes, *, host: str, action: str, credentials_sent: bool) -> RegistryError:
    """Return the error for a reply that is not a success. `action` describes what was requested."""
    codes = oci_codes(body)
    mapped_codes = (_BY_OCI_CODE[code] for code in codes if code in _BY_OCI_CODE)
    # A retryable status takes precedence over the code in the body, which is less reliable.
    code: Code = (
        _RETRYABLE_CODES.get(status, "unavailable")
        if is_retryable(status)
        else next(mapped_codes, _code_of_status(status))
    )
    code_list = f" ({', '.join(codes)})" if codes else ""
    advice = PROXY_LIMIT if status == 413 else _advice(code, credentials_sent=credentials_sent)
    if status != 429 and (condition := _condition(body)) is not None:
        code, advice = (code if is_retryable(status) else condition[0]), condition[1]
    return RegistryError(
        code,
        f"{action}: {host} responded with {status}{code_list}{'; ' if advice else ''}{advice}",
        host=host,
        credentials_sent=credentials_sent,
        says_step=bool(advice),
    )


def storage_refused(status: int, *, host: str, action: str) -> RegistryError:
    """Return the error for a redirect of the registry to a server that did not send the content."""
    message = (
        f"{action}: {host} redirects to its storage, which responded with {status}; if the next attempts fail too, "
        "check the registry's storage, and the clocks of both"
    )
    return RegistryError("unavailable", message, host=host, says_step=True)


def _code_of_status(status: int) -> Code:
    return _CODE_BY_STATUS.get(status, "invalid")


def _advice(code: Code, *, credentials_sent: bool) -> str:
    """Return the next step. Credentials that were not sent are never reported as refused."""
    by_credentials = _ADVICE_WITH_CREDENTIALS if credentials_sent else _ADVICE_WITHOUT_CREDENTIALS
    return by_credentials.get(code) or _ADVICE.get(code, "")
