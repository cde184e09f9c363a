"""The choices in the URL of the dashboard: the time range, and one of several clusters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest

from mirrors.models import Registry
from mirrors.selectors.clusters.clusters import ALL_NAME

RANGES: Final = ((24, "24 hours"), (168, "7 days"), (720, "30 days"))


@dataclass(frozen=True, slots=True)
class DashboardChoice:
    """The time range and the cluster of the dashboard. ``cluster`` is empty for all clusters; ``clusters`` is empty
    unless there are several."""

    hours: int = RANGES[0][0]
    cluster: str = ""
    clusters: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest, targets: Iterable[Registry]) -> DashboardChoice:
        """Return the choices of a request, without values that the page does not offer. The clusters are those of the
        targets, which the page has read anyway."""
        hours, cluster = request.GET.get("hours", ""), request.GET.get("cluster", "")
        names = tuple(sorted({name for target in targets for name in target.clusters}))
        return cls(
            hours=int(hours) if hours in {str(offered) for offered, _ in RANGES} else RANGES[0][0],
            cluster=cluster if cluster in names and len(names) > 1 else "",
            clusters=names if len(names) > 1 else (),
        )

    @property
    def query(self) -> str:
        return self.link()

    def link(self, **changes: Any) -> str:
        """Return the query of the page with other choices."""
        chosen = {"hours": self.hours, "cluster": self.cluster, **changes}
        return "?" + urlencode({name: value for name, value in chosen.items() if value})

    def ranges(self) -> list[tuple[str, str, bool]]:
        """Return the name and the link of each time range, and whether it is chosen."""
        return [(name, self.link(hours=hours), hours == self.hours) for hours, name in RANGES]

    def cluster_links(self) -> list[tuple[str, str, bool]]:
        """Return the name and the link of each cluster, and whether it is chosen; empty unless there are several
        clusters."""
        names = ("", *self.clusters) if self.clusters else ()
        return [(name or ALL_NAME, self.link(cluster=name), name == self.cluster) for name in names]
