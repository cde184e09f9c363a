"""Read queries that the webhook, jobs, API and pages share, in one folder per subject. Start reading in
``images/mappings.py``.

Functions that most callers need are exported by this module; import the others from their own modules.
"""

from mirrors.selectors.clusters.suspensions import active_loops, suspended_targets
from mirrors.selectors.configuration.operator_rows import catalog_of, operator_filters, operator_sources, source_entry
from mirrors.selectors.configuration.small_tables import small_table_revisions
from mirrors.selectors.images.mappings import (
    CHANGES_LIMIT,
    CHANGES_OVERLAP,
    Seen,
    changed_mappings,
    known_mappings,
    mappings_of_sources,
    not_public_in,
    recent_mappings,
    target_registry_id,
)
from mirrors.selectors.jobs.job_queue import job_states, queue

__all__ = [
    "CHANGES_LIMIT",
    "CHANGES_OVERLAP",
    "Seen",
    "active_loops",
    "catalog_of",
    "changed_mappings",
    "suspended_targets",
    "job_states",
    "known_mappings",
    "mappings_of_sources",
    "operator_filters",
    "operator_sources",
    "not_public_in",
    "queue",
    "recent_mappings",
    "small_table_revisions",
    "source_entry",
    "target_registry_id",
]
