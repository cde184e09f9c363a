"""Failed jobs at hosts for which several clusters have a registry: each row has those of its cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mirrors.models import Registry, RegistryRole
from mirrors.selectors.overview.failed_by_cluster import failed_by_cluster
from mirrors.vocabulary.clusters import ALL_CLUSTERS


@dataclass(frozen=True, slots=True)
class SharedHosts:
    """``jobs`` are the failed ones by host and cluster. Those that users requested have no cluster: they count for the
    registry of all clusters, if there is one."""

    rows: Sequence[Registry] = ()
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Registry], since: datetime) -> SharedHosts:
        """Those of a table of registries; one query, if there are any."""
        sources = [row for row in rows if row.role == RegistryRole.SOURCE]
        times = Counter(row.endpoint for row in sources)
        shared = [row for row in sources if times[row.endpoint] > 1]
        return cls(shared, failed_by_cluster(shared, since)) if shared else cls()

    def failed(self, row: Registry) -> int:
        """Failed jobs of the row's cluster at its host."""
        return sum(jobs for (host, cluster), jobs in self.jobs.items() if self._is_of(row, host, cluster))

    @property
    def of_no_row(self) -> int:
        """Failed jobs of users, and of clusters without a registry of the host."""
        return sum(
            jobs
            for (host, cluster), jobs in self.jobs.items()
            if not any(self._is_of(row, host, cluster) for row in self.rows)
        )

    def _is_of(self, row: Registry, host: str, cluster: str) -> bool:
        if not row.covers(host):
            return False
        others = {other.cluster for other in self.rows if other.endpoint == row.endpoint}
        return row.cluster == cluster or (row.cluster == ALL_CLUSTERS and cluster not in others)
