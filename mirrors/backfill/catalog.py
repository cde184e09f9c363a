"""Source registries as a backfill reads and asks them: those of the file, and those of operators."""

from __future__ import annotations

from django.conf import settings

from mirrors import selectors
from mirrors.registries.sources import SourceCatalog, source_entries
from swapper_project.config import Config


def catalog_of(config: Config) -> SourceCatalog:
    """As they are now; raises DatabaseError."""
    entries = [*source_entries(config), *selectors.operator_sources(config.cluster_name)]
    return SourceCatalog(entries, credentials_dir=settings.ENVIRONMENT.credentials_dir, trusted_ca=config.trusted_ca)
