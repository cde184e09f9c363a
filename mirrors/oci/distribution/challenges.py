"""Parses WWW-Authenticate as registries really send it (RFC 9110 section 11.6.1, and sloppier)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_CHARACTERS: Final = 4_096
"""The number of characters of all WWW-Authenticate headers of a reply that are read; real ones have a few hundred."""

# Each match moves forward and never backtracks, so that the time is linear in the header's length.
_SKIPPED = re.compile(r"[^A-Za-z0-9]*+")
_WORD = re.compile(r"[A-Za-z0-9_-]++")
_EQUALS = re.compile(r"[ \t]*+=[ \t]*+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"?', re.DOTALL)
_BARE = re.compile(r'[^\s,"]*+')
_URL = re.compile(r"https?://", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. `scheme` is in lower case; parameters that a challenge lacks are ""."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Return all challenges of a reply in order: several in one header or in several, with quoted values or not."""
    return [
        Challenge(scheme, values.get("realm", ""), values.get("service", ""), values.get("scope", ""))
        for scheme, values in _read_all(headers)
        if values or scheme == "basic"
    ]


def is_token_invalid(headers: Iterable[str]) -> bool:
    """Return whether the headers report an invalid token (RFC 6750 section 3.1), and not one that allows too little."""
    return any(values.get("error") == "invalid_token" for _, values in _read_all(headers))


def choose_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return the challenge to answer: Bearer with a realm that is a URL, else Basic, else Bearer with a realm that
    cannot be requested; None if there is none of these."""
    challenges = parse(headers)
    bearers = [challenge for challenge in challenges if challenge.scheme == "bearer" and challenge.realm]
    usable = [bearer for bearer in bearers if _URL.match(bearer.realm)]
    basic = [challenge for challenge in challenges if challenge.scheme == "basic"]
    return next(iter([*usable, *basic, *bearers]), None)


def _read_all(headers: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    challenges: list[tuple[str, dict[str, str]]] = []
    remaining = MAX_CHARACTERS
    for header in headers:
        _read(header[:remaining], challenges)
        remaining -= min(remaining, len(header))
    return challenges


def _read(header: str, challenges: list[tuple[str, dict[str, str]]]) -> None:
    """Append the challenges of one header. A word with a value is a parameter of the challenge before it; a word
    without a value starts a challenge."""
    position = _end(_SKIPPED, header, 0)
    while word := _WORD.match(header, position):
        position = word.end()
        equals = _EQUALS.match(header, position)
        if equals is None:
            challenges.append((word[0].lower(), {}))
        else:
            value, position = _value(header, equals.end())
            if not challenges:
                challenges.append(("", {}))
            challenges[-1][1].setdefault(word[0].lower(), value)
        position = _end(_SKIPPED, header, position)


def _value(header: str, position: int) -> tuple[str, int]:
    quoted = _QUOTED.match(header, position)
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    end = _end(_BARE, header, position)
    return header[position:end], end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return the end of the match of a pattern that may match nothing."""
    match = pattern.match(text, position)
    return match.end() if match else position
