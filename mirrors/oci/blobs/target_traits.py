"""What target registries were seen to do, so that later copies send one request where they would send two."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.distribution.registry_client import RegistryClient

Written = tuple[str, str]
"""Repository, and a tag or digest that was written to it: what the registry says about it shows how it answers."""


Repository = tuple[str, str]
"""Registry, and the name of a repository there."""


DOUBT_SECONDS = 900.0
"""How long a repository that contradicted itself is not believed: longer than the next attempts of a job take, and than
registries keep in their caches what their garbage collection deleted."""


MAX_QUESTIONS = 10
"""About one trait of a registry that could not say: each is one to three requests, and later copies do without."""


NO_BLOB = f"sha256:{'0' * 64}"
"""That nobody has."""


@dataclass(slots=True)
class _Trait:
    """Of one registry. `answer` None: not known yet, and False while it is asked. `written` is what can be asked about
    next."""

    answer: bool | None = None
    questions: int = 0
    written: Written | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, written: Written) -> None:
        with self.lock:
            if self.answer is None and self.written is None:
                self.written = written

    def found_out(self, ask: Callable[[Written], bool | None], *, outside: str = "") -> bool:
        """Asks, if nobody has, about what was written outside this repository. None from `ask`: the registry could not
        say, and is asked about what is written next. False to everybody else meanwhile."""
        with self.lock:
            written = self.written
            if written is None or written[0] == outside:
                return bool(self.answer)
            self.written, self.answer = None, False
        self.questions += 1
        answer = None
        try:
            answer = ask(written)
        finally:
            self.answer = False if answer is None and self.questions == MAX_QUESTIONS else answer
        return bool(answer)


class TargetTraits:
    """Thread-safe; one an engine. A registry is asked once for each trait, when something was written to it."""

    def __init__(self) -> None:
        self._answers_heads: dict[str, _Trait] = {}
        self._mounts_own_blobs: dict[str, _Trait] = {}
        self._had_last_tag: dict[str, bool] = {}
        self._contradicted: dict[Repository, float] = {}

    def contradicted(self, repository: Repository) -> None:
        """It refused a manifest for want of content that it had shown."""
        now = time.monotonic()
        self._contradicted = {one: since for one, since in self._contradicted.items() if now - since < DOUBT_SECONDS}
        self._contradicted[repository] = now

    def is_doubtful(self, repository: Repository) -> bool:
        """Whether what it shows is not to be believed for now: copies bring everything again."""
        since = self._contradicted.get(repository)
        return since is not None and time.monotonic() - since < DOUBT_SECONDS

    def looked_for_tag(self, registry: str, *, is_there: bool) -> None:
        self._had_last_tag[registry] = is_there

    def expects_tag(self, registry: str) -> bool:
        """Whether the next tag is there, to go by the last one that was looked for: copies of many new images follow
        one another, and so do checks of images that are there."""
        return self._had_last_tag.get(registry, True)

    def wrote_tag(self, registry: str, repository: str, tag: str) -> None:
        _of(self._answers_heads, registry).note((repository, tag))

    def wrote_blob(self, target: RegistryClient, repository: str, digest: str) -> None:
        """To be called before a manifest refers to the blob. The second repository that gets a blob is asked whether
        a mount from itself finds it, and not the one that the first has: then it looks for a blob, and opens the
        upload of a missing one, in one request.

        Nobody reads the first of these blobs yet, and the repository does not have the other one: a mount of what it
        has writes its link to the blob again, and distribution on a file system returns an error to those who read
        the link at that moment."""

        def ask(written: Written) -> bool | None:
            if _has(target, repository, written[1]):
                return None
            found = [_mounts(target, repository, each) for each in (digest, written[1])]
            if found == [True, True] and not _mounts(target, repository, NO_BLOB):
                # The repository got the other one meanwhile.
                return None
            return None if None in found else found == [True, False]

        trait = _of(self._mounts_own_blobs, target.access.host)
        trait.found_out(ask, outside=repository)
        trait.note((repository, digest))

    def answers_heads(self, target: RegistryClient) -> bool:
        """Whether a HEAD shows a manifest that is there: then one that says 404 is to be believed."""
        return _of(self._answers_heads, target.access.host).found_out(lambda written: _shows(target, *written))

    def mounts_own_blobs(self, registry: str) -> bool:
        """Whether a mount from the repository itself finds a blob that it has, and none that only others have. False
        where that is not known yet."""
        return bool(_of(self._mounts_own_blobs, registry).answer)


def _of(traits: dict[str, _Trait], registry: str) -> _Trait:
    """Targets are few: none is forgotten."""
    return traits.setdefault(registry, _Trait())


def _shows(target: RegistryClient, repository: str, tag: str) -> bool | None:
    try:
        return target.head_manifest(repository, tag) is not None
    except RegistryError as error:
        return False if error.permanent else None


def _has(target: RegistryClient, repository: str, digest: str) -> bool:
    """True where the registry could not say."""
    try:
        return target.has_blob(repository, digest)
    except RegistryError:
        return True


def _mounts(target: RegistryClient, repository: str, digest: str) -> bool | None:
    """Whether a mount from the repository itself finds the blob."""
    try:
        upload = target.uploads.mount(repository, digest, repository)
    except RegistryError as error:
        return False if error.permanent else None
    if upload is not None:
        target.uploads.abandon(repository, upload)
    return upload is None
