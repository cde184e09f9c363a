"""What can go wrong between us and a registry, in words an operator can act on."""

from __future__ import annotations

import json
import re
from typing import Final, Literal

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

_OCI_CODE = re.compile(r"[A-Za-z_]{1,40}")
_BY_STATUS: Final[dict[int, Code]] = {
    401: "unauthorized",
    403: "denied",
    404: "not-found",
    405: "unsupported",
    409: "conflict",
    413: "too-large",
    415: "unsupported",
    429: "rate-limited",
}
_BY_OCI_CODE: Final[dict[str, Code]] = {
    "DIGEST_INVALID": "bad-digest",
    "TAG_INVALID": "tag-immutable",
    "ImageTagAlreadyExistsException": "tag-immutable",
    "UNSUPPORTED": "unsupported",
    "DENIED": "denied",
}
_ADVICE: Final[dict[Code, str]] = {
    "unauthorized": "check the credentials for this registry, and that the image exists",
    "denied": "check what these credentials may do in this repository",
    "rate-limited": "log in to the registry or wait for its limit to reset",
    "tag-immutable": "the tag exists with another content and may not be changed",
}


class CopyCancelledError(Exception):
    """The caller asked for this copy to stop."""


class RegistryError(Exception):
    """A registry (or the way to it) failed. `str()` is safe to show: it holds no URL, credential or reply text.

    `retry_after` is in seconds, set when the registry said (or we know) how long to stay away.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        host: str,
        permanent: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.host = host
        self.permanent = code not in TRANSIENT if permanent is None else permanent
        self.retry_after = retry_after


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed later: 408, 429, 499, 522 and any 5xx."""
    return status in RETRYABLE_STATUSES or status >= 500


def oci_codes(body: bytes) -> list[str]:
    """The `errors[].code` values of an OCI error reply. The registry's own messages are left out."""
    try:
        errors = json.loads(body)["errors"]
        codes = [error["code"] for error in errors]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [code for code in codes if isinstance(code, str) and _OCI_CODE.fullmatch(code)][:3]


def from_reply(status: int, body: bytes, *, host: str, action: str) -> RegistryError:
    """The error for a reply that is neither a success nor something to retry. `action` says what was asked, on what."""
    codes = oci_codes(body)
    known = (_BY_OCI_CODE[code] for code in codes if code in _BY_OCI_CODE)
    code: Code = next(known, _BY_STATUS.get(status, "unavailable" if is_retryable(status) else "invalid"))
    said = f" ({', '.join(codes)})" if codes else ""
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    return RegistryError(code, f"{action}: {host} answered {status}{said}{advice}", host=host)
