"""What a copy of referrers answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReferrersResult:
    """`found` are those at the source that the policy includes, `copied` those that the target did not have.

    `is_signed`: the target has a signature of the image; None where a problem keeps that unknown. `signers` are the
    identities in certificates beside them, which nobody has verified. `problems` are errors that did not end the copy,
    each in words for an operator."""

    found: int = 0
    copied: int = 0
    bytes_copied: int = 0
    is_signed: bool | None = False
    signers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
