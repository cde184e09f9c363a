"""Rows of the smaller tables of a fictitious year."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.history.rows import YEAR, Row, Story, text


def registries() -> Iterator[Row]:
    for number in range(20):
        host = f"registry-{number}.example.com"
        at = "2025-01-01 00:00:00"
        yield (1_000 + number, host, "source", "oci", host, "", "", "", False, "", "{}", "operator", True, at, at)


def filters() -> Iterator[Row]:
    for number in range(30):
        at = "2025-01-01 00:00:00"
        query = f"obj.metadata.namespace == 'system-{number}'"
        yield (1_000 + number, f"system-{number}", query, number, True, "operator", at, at)


def accesses(story: Story) -> Iterator[Row]:
    """Yield which namespaces are allowed to use the private images."""
    key = 0
    for mapping in range(0, story.size.mappings, 50):
        for number in range(min(10, len(story.namespaces))):
            key += 1
            namespace = story.namespaces[(mapping // 50 + number * 17) % len(story.namespaces)]
            yield (key, mapping + 1, namespace, number % 4 != 0, text(story.at(1)))


def blobs(story: Story, registry_id: int) -> Iterator[Row]:
    for number in range(story.size.mappings * 2):
        at = text(story.at(number * story.size.jobs // (story.size.mappings * 2)))
        yield (number + 1, registry_id, f"sha256:{number:064x}", f"mirror/app-{number % 5_000}", at)


def actions(story: Story, count: int) -> Iterator[Row]:
    names = ("retry", "cancel", "mirror", "pause", "priority")
    for number in range(count):
        at = story.began - YEAR / 12 + (YEAR * 13 / 12) * number / count
        job = number * (story.size.jobs // count)
        mapping = story.mapping_of[job]
        subject = story.images[mapping]
        yield (number + 1, f"user-{number % 9}", names[number % 5], subject, "", mapping + 1, job + 1, text(at))


def checks(story: Story, count: int) -> Iterator[Row]:
    for number in range(count):
        at = text(story.began + YEAR * number / count)
        step = '[{"name": "name", "status": "ok", "words": "", "seconds": 0.1}]'
        yield (number + 1, 1_000 + number % 20, "passed" if number % 7 else "failed", step, "olga", at, at, at)


def instances(story: Story) -> Iterator[Row]:
    for number in range(300):
        at = text(story.now.timestamp() - number * 3_600)
        yield (number + 1, "webhook" if number % 2 else "worker", f"swapper-{number}", "{}", at, at)


def hosts(story: Story) -> Iterator[Row]:
    for number in range(40):
        resting = text(story.now.timestamp() + 3_600) if number < 3 else None
        yield (number + 1, f"registry-{number}.example.com", "", "pull", resting, 90, text(story.at(1)))


def repositories(story: Story, registry_id: int) -> Iterator[Row]:
    for number in range(5_000):
        differs = number % 40 == 0
        differences = '[{"setting": "scan on push", "is": "off", "configured": "on"}]' if differs else "[]"
        at = text(story.at(1))
        yield (number + 1, registry_id, f"mirror/app-{number}", "{}", differences, differs, False, "", None, at)
