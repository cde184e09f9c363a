"""The sizes of images: a few threads read their manifests from the registries, within the budgets of all workers.

Only a few images are read from a registry that counts pulls; the others are estimated from these.
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
from mirrors.jobs.copy.source_access import SourceFinder, SourceRequest
from mirrors.jobs.limits.budget_keeper import BudgetKeeper
from mirrors.jobs.limits.pull_limits import PullLimits
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.pull_secrets import FoundSecrets, Requester
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
"""The number of images that are read concurrently: at half a second each, 500 a minute."""

MOST_SUBMITTED_IMAGES: Final = 60
"""The maximum number of images that are submitted to the threads: as many as they read between two turns of the
watcher."""

ACCESS_SECONDS: Final = 10.0
"""The timeout in seconds of a request that checks how an image can be read."""

MOST_CHILDREN: Final = 50
"""The maximum number of an index's manifests that are read. The sizes of further ones are extrapolated."""

COUNTED_IMAGES: Final = 10
"""The maximum number of images that are read from a registry that counts pulls: with two pulls for each, a fifth of
Docker Hub's smallest limit."""


@dataclass(frozen=True, slots=True)
class ImageSize:
    """The bytes of an image's blobs, and the numbers of its manifests and blobs. ``size`` and ``blobs`` are
    extrapolated if not all manifests were read."""

    size: int
    manifests: int
    blobs: int


class Measurer:
    """Reads the manifests of images with a thread pool, until it is closed. Not thread-safe."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        current = config()
        self._catalog = catalog_of(current)
        self._limits = PullLimits(lambda host: self._catalog.username(host))
        budgets = RequestBudgets(budget_finder(config))
        self._engine = Engine(engine_settings(current), on_remaining=self._limits.record, budgets=budgets)
        self._keeper = BudgetKeeper(budgets, lambda: self._engine)
        self._keeper.start()
        self._pool = ThreadPoolExecutor(MEASURING_THREADS, thread_name_prefix="backfill")
        self._in_progress: dict[int, Future[ImageSize | None]] = {}
        self._submitted: Counter[str] = Counter()
        self._is_closed = False

    @property
    def in_progress(self) -> Collection[int]:
        """The keys of submitted images whose sizes were not taken yet."""
        return self._in_progress.keys()

    @property
    def free_slots(self) -> int:
        return MOST_SUBMITTED_IMAGES - len(self._in_progress)

    def submit(self, key: int, source: str, counting: Collection[str], platforms: tuple[str, ...]) -> bool:
        """Submit an image, to read these platforms; empty: all. Returns False if the image is not read, because its
        registry is in ``counting`` (those that count pulls) and ``COUNTED_IMAGES`` were read from it."""
        ref = ImageRef.parse(source)
        is_counted = ref.registry in counting
        if is_counted and self._submitted[ref.registry] >= COUNTED_IMAGES:
            return False
        self._submitted[ref.registry] += 1
        self._in_progress[key] = self._pool.submit(self._measure, ref, is_counted, platforms)
        return True

    def collect(self, seconds: float) -> dict[int, ImageSize | None]:
        """Wait for at most so many seconds until an image was read, and return the new sizes by key; None for an image
        that could not be read."""
        wait(self._in_progress.values(), max(0.0, seconds), FIRST_COMPLETED)
        done = {key: future.result() for key, future in self._in_progress.items() if future.done()}
        self._in_progress = {key: future for key, future in self._in_progress.items() if key not in done}
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
        """Return the access that an operator's copy would use. Pull secrets are not read to measure a size."""
        finder = SourceFinder(
            self._catalog,
            config.private_images,
            lambda ref, access: self._engine.head(ref, access, timeout=ACCESS_SECONDS),
            lambda ref, requester: FoundSecrets(),
            cancelled=lambda: self._is_closed,
        )
        return finder.find(SourceRequest(ref, [Requester("")], Access.UNKNOWN)).access


def size_of(root: Manifest, children: list[Manifest]) -> ImageSize:
    """Return the size of an image or index. Children that were not read count with the mean of the others."""
    blobs = {blob.digest: blob.size or 0 for manifest in (root, *children) for blob in manifest.blobs}
    share = len(root.children) / len(children) if children else 1.0
    return ImageSize(round(sum(blobs.values()) * share), 1 + len(root.children), round(len(blobs) * share))
