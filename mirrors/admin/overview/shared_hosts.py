"""Failed jobs at hosts for which several clusters have a registry. Each registry counts the jobs of its cluster."""

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
    """The registries of shared hosts, and in ``jobs`` the number of failed jobs by host and cluster. Jobs that users
    requested have no cluster: the registry of all clusters counts them, if there is one."""

    rows: Sequence[Registry] = ()
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Registry], since: datetime) -> SharedHosts:
        """Return the shared hosts among the registries of a table. Runs one query if there are any."""
        sources = [row for row in rows if row.role == RegistryRole.SOURCE]
        times = Counter(row.endpoint for row in sources)
        shared = [row for row in sources if times[row.endpoint] > 1]
        return cls(shared, failed_by_cluster(shared, since)) if shared else cls()

    def failed(self, row: Registry) -> int:
        """Return the number of failed jobs of the row's cluster at its host."""
        return sum(jobs for (host, cluster), jobs in self.jobs.items() if self._is_of(row, host, cluster))

    @property
    def unassigned_jobs(self) -> int:
        """The number of failed jobs that no registry counts: those of users, and of clusters without a registry of the
        host."""
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
