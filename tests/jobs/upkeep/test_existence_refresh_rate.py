"""Two copying processes and a target with a quota: one process refreshes existence, with a twentieth of the quota."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mirrors.demo.handler import Handler
from mirrors.jobs.timing import from_now
from mirrors.models import ImageMapping
from tests.jobs.processes import FAST, race
from tests.jobs.support import config_file, target_row
from tests.support.faulty_registry import FaultyRegistry

IMAGES = 30
HEADS_PER_SECOND = 40
"""The quota of the target. The refresh uses two a second, so few that a short delay of a busy machine does not
matter."""

LOOKED_AT = 12
"""The number of checks, equal to two turns."""

WINDOW = 5
"""Checks that follow one another in one turn, which take two seconds."""

SLACK = 0.75
"""The share of that time that must pass, because the next check follows a late one sooner."""

OLD = 500.0
"""Seconds since the last check: more than four fifths of the ten minutes of ``existence.maxAge``."""

TIMING = {**FAST, "existence_period": 3.0, "existence_lease": 20.0}


class Clock:
    """A record of when each image was requested from the target."""

    def __init__(self, target: FaultyRegistry) -> None:
        self.asked: list[tuple[float, str]] = []
        target.on("HEAD .*/manifests/", self, times=float("inf"))

    def __call__(self, handler: Handler) -> bool:
        self.asked.append((time.monotonic(), handler.path))
        return False

    def assert_is_paced(self) -> None:
        """Assert that no window of ``WINDOW`` checks is shorter than the share of the quota permits."""
        times = sorted(at for at, _ in self.asked)
        shortest = min(end - start for start, end in zip(times, times[WINDOW - 1 :], strict=False))
        assert shortest >= SLACK * (WINDOW - 1) / (HEADS_PER_SECOND * 0.05), shortest


def known_images(target: FaultyRegistry) -> None:
    row = target_row(target.host)
    names = [f"quay.io/org/app{number}:1.0" for number in range(IMAGES)]
    ImageMapping.objects.bulk_create(
        ImageMapping(target_registry=row, source=name, target=f"{target.host}/{name}", existence="present")
        for name in names
    )
    ImageMapping.objects.update(verified_at=from_now(-OLD))


def test_two_processes_share_one_existence_refresh_at_5_percent_of_the_quota(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    config = config_file(tmp_path, source, target, rateLimits=[{"host": target.host, "heads": HEADS_PER_SECOND}])
    clock = Clock(target)
    known_images(target)

    seen = race("refresh", 2, str(LOOKED_AT), config=config, directory=tmp_path, TEST_JOB_TIMING=json.dumps(TIMING))

    assert min(seen) >= LOOKED_AT, "both ran until so many were checked"
    clock.assert_is_paced()
    assert len({path for _, path in clock.asked}) == len(clock.asked), "no image twice"
