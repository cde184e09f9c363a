"""The result of a copy of referrers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReferrersResult:
    """The result of a copy of referrers. `found` is the number of referrers at the source that the policy includes,
    `copied` the number of those that the target did not have.

    `is_signed`: the target has a signature of the image; None if a problem keeps that unknown. `signers` are the
    identities in the certificates of signatures; they are not verified. `problems` are errors that did not end the
    copy, each with a message for operators."""

    found: int = 0
    copied: int = 0
    bytes_copied: int = 0
    is_signed: bool | None = False
    signers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
