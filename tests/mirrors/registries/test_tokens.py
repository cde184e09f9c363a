"""Tokens that expire: renewals are in time and are retried permanently, and the old token is used until it expires."""

from __future__ import annotations

import threading

import pytest

from mirrors.oci import RegistryError
from mirrors.registries.cloud_tokens import Token, TokenKeeper
from tests.support.ports import wait_until


class Cloud:
    """Issues numbered tokens, or fails while ``is_down`` is true."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        self.lifetime = lifetime
        self.is_down = False
        self.calls = 0
        self.go = threading.Event()
        self.go.set()

    def fetch(self) -> Token:
        assert self.go.wait(10)
        self.calls += 1
        if self.is_down:
            raise RegistryError("credential", "STS is down; wait for it", host="r.example.com")
        return Token("AWS", f"token-{self.calls}", self.lifetime)


def keeper(cloud: Cloud) -> TokenKeeper:
    return TokenKeeper(cloud.fetch, host="r.example.com", retry=(0.02, 0.1))


def password(made: TokenKeeper, refused: str | None = None, timeout: float = 5.0) -> str:
    credential = made.issue(timeout=timeout, refused=refused).credential
    assert credential is not None
    return credential.password


def test_concurrent_requests_share_one_token() -> None:
    cloud = Cloud()
    made = keeper(cloud)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(password(made))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (seen, cloud.calls) == (["token-1"] * 8, 1)


def test_a_request_after_failures_does_not_wait_for_the_next_regular_attempt() -> None:
    cloud = Cloud()
    cloud.is_down = True
    made = TokenKeeper(cloud.fetch, host="r.example.com", retry=(0.3, 3_600.0))
    for _ in range(8):
        # Each failure doubles the pause, which is many seconds by now.
        with pytest.raises(RegistryError):
            made.issue(timeout=10)
    cloud.is_down = False

    assert password(made, timeout=10) == f"token-{cloud.calls}"


def test_a_token_is_renewed_without_a_request() -> None:
    cloud = Cloud(lifetime=0.4)
    made = keeper(cloud)
    assert password(made) == "token-1"
    wait_until(lambda: cloud.calls >= 2, what="a renewal that nobody asked for")
    assert made.issue(timeout=5).credential is not None


def test_failed_renewals_are_retried_and_the_old_token_is_used_until_it_expires() -> None:
    cloud = Cloud(lifetime=1.5)
    made = keeper(cloud)
    assert password(made) == "token-1"
    cloud.is_down = True
    wait_until(lambda: cloud.calls >= 4, what="renewals that fail")
    assert password(made) == "token-1"
    wait_until(lambda: _is_refused(made), what="the end of the old token")
    cloud.is_down = False
    wait_until(lambda: not _is_refused(made), what="a new token")
    assert made.problem is None


def _is_refused(made: TokenKeeper) -> bool:
    try:
        made.issue(timeout=0.2)
    except RegistryError as error:
        assert error.code == "credential" and not error.permanent and "STS is down" in str(error)
        return True
    return False


def test_a_slow_cloud_does_not_delay_a_request_beyond_its_timeout() -> None:
    cloud = Cloud()
    cloud.go.clear()
    made = keeper(cloud)
    with pytest.raises(RegistryError, match="was not issued in time"):
        made.issue(timeout=0.1)
    cloud.go.set()
    assert password(made) == "token-1"


def test_a_rejected_token_is_replaced_once_and_not_while_it_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = Cloud()
    made = keeper(cloud)
    assert password(made) == "token-1"
    assert password(made, refused="token-1") == "token-1"
    monkeypatch.setattr("mirrors.registries.cloud_tokens.YOUNG_TOKEN_SECONDS", 0.0)
    assert password(made, refused="token-1") == "token-2"
    assert password(made, refused="token-1") == "token-2"
    assert cloud.calls == 2
