"""A realistic installation as rows: 500 images, 40 of which fail in eight ways, and thirty days of use.

``seed()`` writes into the database that Django uses; for a running system's, give it to ``manage.py shell -c``. Times
are relative to now. Everything else is the same for the same ``number``.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from mirrors.images import ImageRef, TargetName
from mirrors.models import (
    ImageMapping,
    JobProgress,
    MirrorAttempt,
    MirrorJob,
    MirrorRequest,
    Registry,
    RegistryRole,
)
from mirrors.vocabulary.bounds import host_of
from tests.support.operators_history import DAYS, write_history
from tests.support.operators_words import IMAGES, NAMESPACES, PRIVATE, TARGET, WAYS, Way

FAILURES_OF_A_WAY: Final = 5
RUNNING: Final = 3
PENDING: Final = 12
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Seeded:
    """The number of rows of each kind. All failures are from the last 20 hours."""

    mappings: int
    failed_by_class: dict[str, int]
    running: int
    pending: int
    namespaces: int

    @property
    def failed(self) -> int:
        return sum(self.failed_by_class.values())


def seed(*, mappings: int = 500, number: int = 6) -> Seeded:
    """Write all rows into an empty, migrated database, which may contain the rows of a configuration file."""
    maker = _Maker(random.Random(number), timezone.now())
    target = maker.registries()
    rows = maker.mappings(target, mappings)
    failed, live = len(WAYS) * FAILURES_OF_A_WAY, RUNNING + PENDING
    # The newest mappings are last, as in a real installation.
    mirrored, waiting, failing = rows[: -failed - live], rows[-failed - live : -failed], rows[-failed:]
    maker.succeed(mirrored)
    maker.fail(failing)
    maker.run(waiting[:RUNNING])
    maker.queue(waiting[RUNNING:])
    maker.note_last_jobs(rows)
    write_history(maker.noise, maker.now, mappings=rows, mirrored=mirrored, target=target)
    return Seeded(
        mappings=len(rows),
        failed_by_class={way.error_class: FAILURES_OF_A_WAY for way in WAYS},
        running=RUNNING,
        pending=PENDING,
        namespaces=len(NAMESPACES),
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    noise: random.Random
    now: datetime

    def registries(self) -> Registry:
        """Return the target, created if no configuration file has created it. Create the sources that an operator has
        added."""
        target = Registry.objects.filter(role=RegistryRole.TARGET).first()
        if target is None:
            target = Registry.objects.create(
                name="target", role=RegistryRole.TARGET, endpoint=TARGET, managed_by="config"
            )
        for name, host, username in (
            ("Docker Hub", "docker.io", "acme"),
            ("GitHub", "ghcr.io", ""),
            ("our own", PRIVATE, "mirror"),
        ):
            reference = f"file:{host.partition(':')[0]}" if username else ""
            Registry.objects.create(name=name, endpoint=host, username=username, credential_ref=reference)
        return target

    def mappings(self, target: Registry, count: int) -> list[ImageMapping]:
        """Create the mappings in the order in which their images were first seen."""
        place = TargetName(target.endpoint, target.prefix)
        repositories = [f"{host}/{name}" for host, names in IMAGES.items() for name in names]
        rows = []
        for index in range(count):
            minor, name = divmod(index, len(repositories))
            source = ImageRef.parse(f"{repositories[name]}:1.{minor}.{index % 7}")
            seen = self._at(index, count)
            rows.append(
                ImageMapping(
                    source=str(source),
                    target=str(place.retarget(source)),
                    target_registry=target,
                    access="secrets" if source.registry == PRIVATE else "anonymous",
                    paused=index % 97 == 50,
                    created_at=seen,
                    changed_at=seen,
                    last_seen_at=max(seen, self.now - timedelta(minutes=self.noise.expovariate(1 / 600))),
                )
            )
        return ImageMapping.objects.bulk_create(rows)

    def succeed(self, mappings: Sequence[ImageMapping]) -> None:
        """Create copies that succeeded soon after their image was first seen."""
        ends = [self._at(index, len(mappings)) for index in range(len(mappings))]
        jobs = [self._job(mapping, "succeeded", result) for mapping, result in zip(mappings, ends, strict=True)]
        self._attempts(self._write(jobs), "succeeded", "")
        for mapping in mappings:
            digest = f"sha256:{hashlib.sha256(mapping.source.encode()).hexdigest()}"
            mapping.source_digest = mapping.target_digest = digest
            mapping.existence, mapping.size_bytes = "present", self._size()
            mapping.platforms = ["linux/amd64", "linux/arm64"][: 1 + (mapping.pk % 3 > 0)]
            mapping.verified_at = self.now - timedelta(minutes=self.noise.uniform(1, 600))
            mapping.source_checked_at = self.now - timedelta(hours=self.noise.uniform(1, 24))

    def fail(self, mappings: Sequence[ImageMapping]) -> None:
        """Create failures of each way equally often, within the last 20 hours."""
        for index, mapping in enumerate(mappings):
            way = WAYS[index % len(WAYS)]
            host = mapping.source.partition("/")[0]
            result = self.now - timedelta(hours=20 * (1 - index / len(mappings)), minutes=5)
            job = self._job(mapping, "failed", result)
            job.attempts, job.error_class, job.error_host = way.attempts, way.error_class, host
            job.error_message = way.message.format(source=mapping.source, host=host)
            job.error_says_step = way.says_step
            mapping.existence, mapping.created_at = "absent", job.created_at
            self._attempts(self._write([job]), "failed", way.error_class, way)

    def run(self, mappings: Sequence[ImageMapping]) -> None:
        """Create copies in progress, from nearly started to nearly done. Their leases last a day."""
        jobs = [self._job(mapping, "running", None) for mapping in mappings]
        for job in jobs:
            job.lease_token, job.lease_expires_at = uuid.uuid4(), self.now + timedelta(days=1)
        for index, job in enumerate(self._write(jobs)):
            total = (index + 2) * 150 * MIB
            done = int(total * (0.12 + 0.35 * index))
            moving = [
                {"digest": f"sha256:{self.noise.getrandbits(256):064x}", "size": 90 * MIB, "sent": (n + 1) * 20 * MIB}
                for n in range(2)
            ]
            started = self.now - timedelta(seconds=40 + 30 * index)
            JobProgress.objects.create(
                job=job, bytes_total=total, bytes_copied=done, bytes_skipped=total // 20, blobs_total=12,
                blobs_done=3 + 3 * index, moving=moving, started_at=started, updated_at=self.now,
            )  # fmt: skip
            MirrorAttempt.objects.create(
                job=job, number=1, worker="worker-0", started_at=started, log="Reading the source anonymously.\n"
            )

    def queue(self, mappings: Sequence[ImageMapping]) -> None:
        """Create queued jobs of three priorities, the oldest queued for a quarter of an hour."""
        jobs = [self._job(mapping, "pending", None) for mapping in mappings]
        for index, job in enumerate(jobs):
            job.priority = (10, 30, 40)[index % 3]
            job.created_at = job.available_at = self.now - timedelta(minutes=15 - index)
        self._write(jobs)

    def note_last_jobs(self, mappings: Sequence[ImageMapping]) -> None:
        last = dict(MirrorJob.objects.order_by("id").values_list("mapping_id", "id"))
        for mapping in mappings:
            mapping.last_job_id = last[mapping.pk]
        known = "source_digest target_digest existence size_bytes platforms verified_at source_checked_at"
        ImageMapping.objects.bulk_update(mappings, ["last_job", "created_at", *known.split()], batch_size=100)

    def _at(self, index: int, count: int) -> datetime:
        """Return when the image with this index was first seen, of ``count`` images over all days. The last 20 percent
        are from the last day."""
        share = index / count
        return self.now - timedelta(days=DAYS * (1 - share / 0.8) + 1 if share < 0.8 else 5 * (1 - share))

    def _job(self, mapping: ImageMapping, status: str, ended: datetime | None) -> MirrorJob:
        return MirrorJob(
            mapping=mapping,
            status=status,
            namespace=self.noise.choice(NAMESPACES),
            source_host=host_of(mapping.source),
            target_host=host_of(mapping.target),
            attempts=int(status != "pending"),
            created_at=(ended or self.now) - timedelta(minutes=2),
            available_at=(ended or self.now) - timedelta(minutes=2),
            finished_at=ended and min(ended + timedelta(seconds=self.noise.uniform(5, 90)), self.now),
        )

    def _write(self, jobs: list[MirrorJob]) -> list[MirrorJob]:
        written = MirrorJob.objects.bulk_create(jobs)
        MirrorRequest.objects.bulk_create(
            MirrorRequest(
                job=job,
                namespace=job.namespace,
                service_account="default",
                workload=f"Deployment/{job.namespace}",
                created_at=job.created_at,
            )
            for job in written
        )
        return written

    def _attempts(self, jobs: Sequence[MirrorJob], outcome: str, error_class: str, way: Way | None = None) -> None:
        MirrorAttempt.objects.bulk_create(
            MirrorAttempt(
                job=job,
                number=number,
                worker=f"worker-{job.pk % 2}",
                started_at=job.created_at + timedelta(seconds=10 * number),
                finished_at=job.finished_at,
                outcome=outcome,
                error_class=error_class,
                error=job.error_message,
                bytes_copied=0 if way else self._size(),
                log="Reading the source anonymously.\n" + ("" if way else "Copied all platforms.\n"),
            )
            for job in jobs
            for number in range(1, job.attempts + 1)
        )

    def _size(self) -> int:
        return int(self.noise.lognormvariate(4.4, 0.9) * MIB)
