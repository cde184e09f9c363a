"""Charts of the dashboard, and shares in percent."""

from __future__ import annotations

from collections.abc import Iterable

from mirrors.admin.tools.charts import chart
from mirrors.selectors.overview.statistics import Point


def percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def charts(points: Iterable[Point]) -> dict[str, dict[str, str]]:
    """Return the data of the charts. Labels are times, which a script shows in the viewer's time zone."""
    points = list(points)
    times = [p.at.isoformat() for p in points]
    share = [percent(p.coverage) for p in points]
    mebibytes = [round(p.bytes_copied / 2**20, 1) for p in points]
    return {
        "coverage": chart(times, ("Coverage, %", share, "var(--color-primary-600)")),
        "jobs": chart(
            times,
            ("Failed", [p.failed for p in points], "#dc2626"),
            ("Succeeded", [p.succeeded for p in points], "var(--color-primary-600)"),
        ),
        "bytes": chart(times, ("MiB copied", mebibytes, "var(--color-primary-600)")),
    }
