"""The rows of a fictitious year, table by table. The same seed produces the same rows."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.history import words

Row = tuple[Any, ...]
YEAR: Final = 365 * 86_400.0
RUNNING: Final = 16
"""The maximum number of running jobs."""
TARGET: Final = "mirror.example.com/mirror"


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of rows of the large tables, from which those of the others follow."""

    mappings: int = 100_000
    jobs: int = 1_000_000
    uses: int = 1_000_000
    namespaces: int = 400
    counts_an_hour: int = 60
    running_images: int = 50_000

    def tenth(self) -> Size:
        counts, running = self.counts_an_hour // 10, self.running_images // 10
        return Size(self.mappings // 10, self.jobs // 10, self.uses // 10, self.namespaces, counts, running)

    @property
    def live(self) -> int:
        """The number of queued and running jobs, which are the newest ones."""
        return self.jobs // 500

    @property
    def running(self) -> int:
        return min(RUNNING, self.live)


SUCCEEDED, FAILED, CANCELLED = range(3)
NAMES: Final = ("succeeded", "failed", "cancelled")


class Story:
    """The events of the year: the mappings, their jobs and the outcomes, from which all rows follow."""

    def __init__(self, size: Size, *, seed: int, now: datetime) -> None:
        self.size, self.now = size, now
        self.rng = random.Random(seed)
        self.began = now.timestamp() - YEAR
        self.namespaces = words.namespaces(size.namespaces)
        hosts = words.pool(words.HOSTS)
        self.hosts = [self.rng.choice(hosts) for _ in range(size.mappings)]
        self.images = [words.image(self.rng, number, host) for number, host in enumerate(self.hosts)]
        self.mapping_of = self._mappings_of_jobs()
        endings = [SUCCEEDED] * 88 + [FAILED] * 9 + [CANCELLED] * 3
        self.ending = array("b", (self.rng.choice(endings) for _ in range(size.jobs)))
        self.last_job = array("q", bytes(8 * size.mappings))
        for number, mapping in enumerate(self.mapping_of):
            self.last_job[mapping] = number + 1

    def is_live(self, job: int) -> bool:
        return job >= self.size.jobs - self.size.live

    def at(self, job: int) -> float:
        """Return the time at which a job was requested: evenly spread over the year, in the order of the keys."""
        return self.began + YEAR * job / self.size.jobs

    def _mappings_of_jobs(self) -> array[int]:
        """Return the mapping of each job: each image first when it appears, and repeatedly after that, newer ones more
        often. Live jobs have distinct mappings."""
        size, rng = self.size, self.rng
        every = size.jobs // size.mappings
        result = size.jobs - size.live
        chosen = array("l")
        for job in range(result):
            known = job // every
            chosen.append(known if job % every == 0 else int(known * (1 - rng.random() ** 2)))
        chosen.extend(rng.sample(range(result // every), size.live))
        return chosen


def text(at: float) -> str:
    """Return a time in UTC, in a format that both databases accept."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def mappings(story: Story, registry_id: int) -> Iterator[Row]:
    for number, source in enumerate(story.images):
        last = story.last_job[number]
        ending = story.ending[last - 1] if last else CANCELLED
        existence = ("present", "absent", "unknown")[ending]
        digest = f"sha256:{number:064x}"
        private = number % 50 == 0
        seen = text(story.at(last or 1))
        yield (
            number + 1,
            source,
            registry_id,
            f"{TARGET}/{source}",
            digest,
            digest if existence == "present" else "",
            '["linux/amd64", "linux/arm64"]',
            20_000_000 + number * 1_000,
            existence,
            seen if existence != "unknown" else None,
            seen,
            "secrets" if private else "anonymous",
            "tampered" if number % 5_000 == 7 else "",
            number % 2_000 == 9,
            last or None,
            seen,
            seen,
            text(story.at(number * (story.size.jobs // story.size.mappings))),
        )


def jobs(story: Story) -> Iterator[Row]:
    rng = random.Random(2)
    errors = words.pool(tuple(((name, message), weight) for name, weight, message in words.ERRORS))
    last_running = story.size.jobs - story.size.running
    priorities, triggers = [30] * 70 + [40] * 20 + [20] * 6 + [10] * 3 + [0], ["admission", "refresh", "operator"]
    for number in range(story.size.jobs):
        mapping, at = story.mapping_of[number], story.at(number)
        live, running = story.is_live(number), number >= last_running
        ending = story.ending[number]
        failed = not live and ending == FAILED
        name, message = rng.choice(errors) if failed else ("", "")
        host = story.hosts[mapping]
        status = "running" if running else "pending" if live else NAMES[ending]
        priority = rng.choice(priorities)
        yield (
            number + 1,
            mapping + 1,
            status,
            priority,
            triggers[0] if priority in (0, 10, 30) else triggers[1] if priority == 40 else triggers[2],
            "olga" if priority == 20 else "",
            story.namespaces[mapping % len(story.namespaces)] if priority != 40 else "",
            attempts_of(story, number, name) if not live else int(running),
            5,
            1,
            text(at),
            f"{number:032x}" if running else None,
            text(story.now.timestamp() + 3_600) if running else None,
            name,
            message.format(host=host, image=story.images[mapping]) if failed else "",
            host if failed else "",
            text(at),
            None if live else text(at + 5 + 300 * rng.random()),
        )


RETRIED: Final = frozenset({"rate-limited", "unavailable", "timeout", "worker-lost", "internal"})


def attempts_of(story: Story, job: int, error: str) -> int:
    """Return the number of attempts of a job: five for transient errors, usually one for others."""
    if story.ending[job] == CANCELLED:
        return 0
    return 5 if error in RETRIED else 1 + (job % 25 == 0)


def attempts(story: Story, ended: Iterator[Row]) -> Iterator[Row]:
    """Yield attempts for the rows of jobs; the last attempt of a job has the job's outcome."""
    rng = random.Random(3)
    key = 0
    for job, _, status, *_, tries, _, _, _, _, _, error, message, _, created, finished in ended:
        for number in range(1, tries + 1):
            key += 1
            is_last = number == tries
            succeeded = is_last and status == "succeeded"
            outcome = "running" if finished is None else "succeeded" if succeeded else "failed"
            log = f"{created} {message or 'copied 8 of 8 blobs'}\n" * 2
            yield (
                key,
                job,
                number,
                f"swapper-worker-{key % 7}/{key % 3_000}",
                created,
                finished,
                outcome,
                error or ("" if outcome != "failed" else "unavailable"),
                message,
                int(2e8 * rng.random()) if succeeded else 0,
                log,
            )


def requests(story: Story) -> Iterator[Row]:
    """Yield the requesters of three in five jobs."""
    for job in range(story.size.jobs):
        if job % 5 < 3:
            mapping = story.mapping_of[job]
            namespace = story.namespaces[mapping % len(story.namespaces)]
            yield (job + 1, job + 1, namespace, "default", "regcred", words.PARTS[job % 50], text(story.at(job)))


def progress(story: Story) -> Iterator[Row]:
    """Yield the progress of every tenth finished job, and of all running jobs."""
    for job in range(story.size.jobs):
        if job >= story.size.jobs - story.size.running or (job % 10 == 0 and not story.is_live(job)):
            at = text(story.at(job))
            yield (job + 1, 200_000_000, 120_000_000, 40_000_000, 0, 9, 6, "[]", at, at)


def uses(story: Story) -> Iterator[Row]:
    each = max(1, story.size.uses // story.size.mappings)
    names, rng = story.namespaces, random.Random(4)
    for key in range(story.size.uses):
        mapping, number = key // each, key % each
        first = story.at(mapping * (story.size.jobs // story.size.mappings))
        last = first + (story.now.timestamp() - first) * rng.random()
        workload = f"{words.PARTS[(mapping + number) % 50]}-{words.PARTS[number % 50]}-{mapping % 1_000}"
        namespace = names[int(len(names) * rng.random() ** 2)]
        yield (
            key + 1,
            mapping + 1,
            words.cluster_of(namespace),
            namespace,
            words.KINDS[number % 5],
            workload,
            text(first),
            text(last),
        )


def counts(story: Story) -> Iterator[Row]:
    """Yield counts for each hour of a year, for some namespaces in each hour."""
    rng, key = random.Random(5), 0
    hour = story.now.replace(minute=0, second=0, microsecond=0) - timedelta(days=365)
    hosts = [host for host, _ in words.HOSTS]
    every = [
        (namespace, host, decision, reason)
        for namespace in story.namespaces[: max(20, story.size.counts_an_hour * 2)]
        for host in hosts[:3]
        for decision, reason, _ in words.DECISIONS
    ]
    while hour <= story.now:
        for namespace, host, decision, reason in rng.sample(every, story.size.counts_an_hour):
            key += 1
            by = "filter-1" if reason == "filtered" else ""
            yield (
                key,
                text(hour.timestamp()),
                words.cluster_of(namespace),
                namespace,
                host,
                decision,
                reason,
                by,
                1 + int(200 * rng.random()),
            )
        hour += timedelta(hours=1)


def samples(story: Story, count: int) -> Iterator[Row]:
    for number in range(count):
        image = story.images[number % len(story.images)]
        pod = {"metadata": {"name": f"web-{number}"}, "spec": {"containers": [{"name": "c", "image": image}]}}
        decision = {"container": "c", "image": image, "decision": "swap", "reason": "present"}
        at = story.now.timestamp() - 30 * 86_400 * (1 - number / count)
        namespace = story.namespaces[number % len(story.namespaces)]
        yield (
            number + 1,
            f"uid-{number}",
            namespace,
            f"web-{number}",
            "Deployment",
            f"web-{number % 500}",
            "CREATE",
            json.dumps(pod),
            json.dumps([decision]),
            image,
            text(at),
        )
