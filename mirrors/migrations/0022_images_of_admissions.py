from django.db import migrations, models

from mirrors.models.base.indexes import AddFieldOnce, ensure_search

AT_ONCE = 1_000
"""Rows in one statement. They are few, so that no statement takes long."""


def fill(apps, schema_editor):
    """Fill in the image names of existing admissions, which are kept for some days."""
    sample = apps.get_model("mirrors", "AdmissionSample")
    last = 0
    while rows := list(sample.objects.filter(pk__gt=last).order_by("pk").only("pk", "decisions")[:AT_ONCE]):
        for row in rows:
            names = (decision.get(key) for decision in row.decisions for key in ("image", "target"))
            row.image_names = "\n".join(dict.fromkeys(name for name in names if name))
        sample.objects.bulk_update(rows, ["image_names"])
        last = rows[-1].pk


def search(apps, schema_editor):
    ensure_search(schema_editor.connection)


def drop_search(apps, schema_editor):
    """Drop the index on SQLite, which cannot drop a column that an index uses. Postgres drops the index with it."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP INDEX IF EXISTS sample_search")


class Migration(migrations.Migration):

    # Indexes are built without blocking writers. An interrupted migration can be run again.
    atomic = False

    dependencies = [
        ('mirrors', '0021_tokens_of_actions'),
    ]

    operations = [
        AddFieldOnce(
            model_name='admissionsample',
            name='image_names',
            field=models.TextField(blank=True, db_default='', default='', editable=False, help_text='Images of the pod and their targets, one per line: what a search by image reads.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(search, drop_search),
    ]
