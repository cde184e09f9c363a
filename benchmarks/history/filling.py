"""Writes a fictitious year into a migrated, empty database, in one transaction, by COPY on Postgres."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import connection, transaction

from benchmarks.history import clusters, rows, small
from benchmarks.history.rows import Row, Size, Story
from mirrors.models import Registry

BATCH = 10_000

_COLUMNS = {
    "imagemapping": "id source target_registry_id target source_digest target_digest platforms size_bytes existence "
    "verified_at source_checked_at access obstacle paused last_job_id last_seen_at changed_at created_at",
    "mirrorjob": "id mapping_id status priority trigger requested_by namespace attempts max_attempts claims "
    "available_at lease_token lease_expires_at error_class error_message error_host created_at finished_at",
    "mirrorattempt": "id job_id number worker started_at finished_at outcome error_class error bytes_copied log",
    "mirrorrequest": "id job_id namespace service_account secret_names workload created_at",
    "jobprogress": "job_id bytes_total bytes_copied bytes_mounted bytes_skipped blobs_total blobs_done moving "
    "started_at updated_at",
    "imageuse": "id mapping_id cluster namespace workload_kind workload first_seen_at last_seen_at",
    "decisioncount": "id hour cluster namespace source_host decision reason filter images",
    "admissionsample": "id uid namespace pod_name workload_kind workload operation pod decisions "
    "image_names created_at",
    "registry": "id name role kind endpoint prefix username credential_ref insecure ca_file settings managed_by "
    "enabled created_at updated_at",
    "filter": "id name jmespath position enabled managed_by created_at updated_at",
    "mappingaccess": "id mapping_id namespace granted checked_at",
    "bloblocation": "id registry_id digest repository seen_at",
    "operatoraction": "id actor action subject details mapping_id job_id created_at",
    "registrycheck": "id registry_id status steps requested_by created_at started_at finished_at",
    "instance": "id role name facts started_at seen_at",
    "hostbudget": "id host credential operation resting_until remaining updated_at",
    "targetrepository": "id registry_id name facts differences has_differences pulls_through problem "
    "apply_requested_at checked_at",
    "cluster": "id name version pods nodes platforms namespaces problem listed_at seen_at",
    "clusternode": "id cluster name platform ready pulled_at",
    "runningimage": "id cluster key namespace workload_kind workload source image digest pods nodes pod_name "
    "in_template state first_seen_at last_seen_at",
    "pullfailure": "id cluster key image source at cause message pods nodes namespaces samples is_mirrored "
    "first_seen_at last_seen_at",
    "targethealth": "id cluster registry state cause message nodes began_at changed_at",
    "restartloop": "id cluster key namespace workload_kind workload source image count detected_at expires_at "
    "released_at",
    "backfillrun": "id cluster state requested_by problem images excluded bytes_total unmeasured "
    "counted_pulls seconds_estimated done_before created_at previewed_at started_at resumed_at finished_at",
    "backfillimage": "id run_id source rank pods workloads is_awaited state reason details is_measured "
    "size_bytes job_id",
    "readinesssample": "id cluster hour workloads unprotected taken_at",
}


def fill(size: Size, *, registry_id: int, now: datetime, seed: int = 1) -> dict[str, int]:
    """Write the year that ends now. Return the number of rows by table. The row of the target registry must exist."""
    story = Story(size, seed=seed, now=now)
    tables: list[tuple[str, Iterable[Row]]] = [
        ("registry", small.registries()),
        ("filter", small.filters()),
        ("imagemapping", rows.mappings(story, registry_id)),
        ("mirrorjob", rows.jobs(story)),
        ("mirrorattempt", rows.attempts(story, rows.jobs(story))),
        ("mirrorrequest", rows.requests(story)),
        ("jobprogress", rows.progress(story)),
        ("imageuse", rows.uses(story)),
        ("decisioncount", rows.counts(story)),
        ("admissionsample", rows.samples(story, size.jobs // 20)),
        ("mappingaccess", small.accesses(story)),
        ("bloblocation", small.blobs(story, registry_id)),
        ("operatoraction", small.actions(story, size.jobs // 50)),
        ("registrycheck", small.checks(story, 2_000)),
        ("instance", small.instances(story)),
        ("hostbudget", small.hosts(story)),
        ("targetrepository", small.repositories(story, registry_id)),
        ("cluster", clusters.clusters(story)),
        ("clusternode", clusters.nodes(story)),
        ("runningimage", clusters.running_images(story)),
        ("pullfailure", clusters.pull_failures(story)),
        ("targethealth", clusters.target_health(story)),
        ("restartloop", clusters.restart_loops(story)),
        ("backfillrun", clusters.backfill_runs(story)),
        ("backfillimage", clusters.backfill_images(story)),
        ("readinesssample", clusters.readiness_samples(story)),
    ]
    # SQLite would scan all mappings for each new job. Both databases check all constraints at the end instead.
    with connection.constraint_checks_disabled(), transaction.atomic():
        _take_time()
        Registry.objects.filter(pk=registry_id).update(clusters=list(clusters.CLUSTERS))
        written = {name: _write(f"mirrors_{name}", _COLUMNS[name].split(), found) for name, found in tables}
        connection.check_constraints()
    if connection.in_atomic_block:
        return written
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return written


def _take_time() -> None:
    """Remove the statement timeout: on a busy machine, a million rows take longer than the product's limit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")


def _write(table: str, columns: list[str], found: Iterable[Row]) -> int:
    counted = itertools.count()
    each: Iterator[Row] = (row for row, _ in zip(found, counted, strict=False))
    if connection.vendor == "postgresql":
        _copy(table, columns, each)
    else:
        _insert(table, columns, each)
    return next(counted)


def _copy(table: str, columns: list[str], found: Iterator[Row]) -> None:
    with connection.cursor() as cursor:
        with cursor.cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in found:
                copy.write_row(row)
        if columns[0] == "id":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
            )


def _insert(table: str, columns: list[str], found: Iterator[Row]) -> None:
    marks = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    with connection.cursor() as cursor:
        while batch := list(itertools.islice(found, BATCH)):
            cursor.executemany(statement, batch)
