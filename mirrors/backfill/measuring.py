"""The sizes of images, by their manifests: read from their registries by a few threads, within the budgets of all.

A registry that counts pulls is asked little: the first images show what the others are like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import engine_settings
from mirrors.jobs.copy.failures import JobRefusedError
from mirrors.jobs.copy.source_access import Asker, SourceFinder
from mirrors.jobs.limits.budget_keeper import BudgetKeeper
from mirrors.jobs.limits.pull_limits import PullLimits
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.pull_secrets import Brought, FoundSecrets
from mirrors.models import Access
from mirrors.oci import CopyCancelledError, Engine, RegistryAccess, RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.budgets import RequestBudgets
from mirrors.oci.transfer.kept_platforms import keep_platforms
from mirrors.registries.credentials import CredentialError
from mirrors.registries.request_limits import budget_finder
from mirrors.selectors.configuration.operator_rows import catalog_of
from swapper_project.config import Config

log = structlog.get_logger(__name__)

MEASURING_THREADS: Final = 4
"""Images read at a time: at half a second each, 500 a minute."""

AHEAD: Final = 60
"""Images that are handed to the threads at a time: as many as they read between two turns of the watcher."""

ACCESS_SECONDS: Final = 10.0
"""Of the question how an image may be read."""

MOST_CHILDREN: Final = 50
"""Manifests of one image that are read; more of them are counted and not read."""

COUNTED_IMAGES: Final = 10
"""Images that are read of a registry that counts pulls: two pulls each, a fifth of Docker Hub's smallest limit."""


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Bytes of its blobs, and numbers. ``size`` is extrapolated where pulls are counted."""

    size: int
    manifests: int
    blobs: int


class Measurer:
    """Reads manifests until it is closed. Not thread-safe."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        current = config()
        self._catalog = catalog_of(current)
        self._limits = PullLimits(lambda host: self._catalog.username(host))
        budgets = RequestBudgets(budget_finder(config))
        self._engine = Engine(engine_settings(current), on_remaining=self._limits.hear, budgets=budgets)
        self._keeper = BudgetKeeper(budgets, lambda: self._engine)
        self._keeper.start()
        self._pool = ThreadPoolExecutor(MEASURING_THREADS, thread_name_prefix="backfill")
        self._under_way: dict[int, Future[ImageSize | None]] = {}
        self._asked: Counter[str] = Counter()
        self._is_closed = False

    @property
    def under_way(self) -> Collection[int]:
        """Keys of the images that are being read."""
        return self._under_way.keys()

    @property
    def room(self) -> int:
        return AHEAD - len(self._under_way)

    def submit(self, key: int, source: str, counting: Collection[str], platforms: tuple[str, ...]) -> bool:
        """Have these platforms of an image read, or all. False: it is not, as its registry is one of those that count
        pulls, and was asked for enough images."""
        ref = ImageRef.parse(source)
        is_counted = ref.registry in counting
        if is_counted and self._asked[ref.registry] >= COUNTED_IMAGES:
            return False
        self._asked[ref.registry] += 1
        self._under_way[key] = self._pool.submit(self._measure, ref, is_counted, platforms)
        return True

    def take(self, seconds: float) -> dict[int, ImageSize | None]:
        """Return the sizes that were read, by key, after waiting for at most so long for the first; None: it could not
        be read."""
        wait(self._under_way.values(), max(0.0, seconds), FIRST_COMPLETED)
        done = {key: future.result() for key, future in self._under_way.items() if future.done()}
        self._under_way = {key: future for key, future in self._under_way.items() if key not in done}
        self._limits.write()
        return done

    def close(self) -> None:
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._engine.close()
        self._keeper.stop()

    def _measure(self, ref: ImageRef, is_counted: bool, platforms: tuple[str, ...]) -> ImageSize | None:
        try:
            return self._read(ref, is_counted, platforms)
        except (JobRefusedError, RegistryError, CredentialError, ClusterError, CopyCancelledError) as error:
            log.info("The size of an image is not known", image=str(ref), error=str(error))
        except Exception:
            log.exception("Reading the manifests of an image failed", image=str(ref))
        return None

    def _read(self, ref: ImageRef, is_counted: bool, platforms: tuple[str, ...]) -> ImageSize:
        access = self._access(ref, self._config())
        root = keep_platforms(self._pull(ref, access), platforms, host=access.host)
        read = root.children[: 1 if is_counted else MOST_CHILDREN]
        children = [self._pull(replace(ref, tag=None, digest=child.digest), access) for child in read]
        return size_of(root, children)

    def _pull(self, ref: ImageRef, access: RegistryAccess) -> Manifest:
        return self._engine.pull(ref, access, cancelled=lambda: self._is_closed)

    def _access(self, ref: ImageRef, config: Config) -> RegistryAccess:
        """As an operator's copy reads it; pull secrets are not read for a size."""
        finder = SourceFinder(
            self._catalog,
            config.private_images,
            lambda ref, access: self._engine.head(ref, access, timeout=ACCESS_SECONDS),
            lambda ref, brought: FoundSecrets(),
            cancelled=lambda: self._is_closed,
        )
        return finder.find(Asker(ref, [Brought("")], Access.UNKNOWN)).access


def size_of(root: Manifest, children: list[Manifest]) -> ImageSize:
    """Of an image or index; children that were not read are as large as the mean of the others."""
    blobs = {blob.digest: blob.size or 0 for manifest in (root, *children) for blob in manifest.blobs}
    share = len(root.children) / len(children) if children else 1.0
    return ImageSize(round(sum(blobs.values()) * share), 1 + len(root.children), round(len(blobs) * share))
