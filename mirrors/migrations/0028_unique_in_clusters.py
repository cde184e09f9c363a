from django.db import migrations, models

from mirrors.models.base.indexes import AddIndexWithoutLock, AddUniqueWithoutLock, RemoveConstraintOnce, ensure_search

UNIQUE = (
    ('imageuse', 'image_use_unique', 'use_in_cluster_unique', ('mapping', 'cluster', 'namespace', 'workload_kind', 'workload')),
    ('decisioncount', 'decision_count_seen_unique', 'decision_count_of_cluster_unique', ('hour', 'cluster', 'namespace', 'source_host', 'decision', 'reason', 'filter', 'first_seen')),
    ('mirrorrequest', 'request_unique', 'request_of_cluster_unique', ('job', 'cluster', 'namespace', 'service_account', 'secret_names')),
)


def replaced(model, former, name, fields):
    """Add the new constraint before the former one is removed, because the previous release inserts rows concurrently
    and relies on a constraint to skip existing rows."""
    yield AddUniqueWithoutLock(model_name=model, constraint=models.UniqueConstraint(fields=fields, name=name))
    yield RemoveConstraintOnce(model_name=model, name=former)


def search(apps, schema_editor):
    """Create the search indexes again: SQLite rebuilds a table for a new column, and loses indexes of no model."""
    ensure_search(schema_editor.connection)


class Migration(migrations.Migration):

    # Indexes are built without blocking writers.
    atomic = False

    dependencies = [
        ('mirrors', '0027_clusters'),
    ]

    operations = [
        *(operation for each in UNIQUE for operation in replaced(*each)),
        AddIndexWithoutLock(
            model_name='imageuse',
            index=models.Index(condition=models.Q(('cluster', 'default'), _negated=True), fields=['cluster', '-id'], name='use_in_cluster'),
        ),
        AddIndexWithoutLock(
            model_name='mirrorjob',
            index=models.Index(condition=models.Q(('cluster', 'default'), _negated=True), fields=['cluster', '-id'], name='job_in_cluster'),
        ),
        migrations.RunPython(search, migrations.RunPython.noop),
    ]
