from django.db import migrations, models

from mirrors.models.base.indexes import AddIndexWithoutLock, ensure_search


def build_search(apps, schema_editor):
    ensure_search(schema_editor.connection)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('mirrors', '0035_only_platforms'),
    ]

    operations = [
        AddIndexWithoutLock(
            model_name='mirrorjob',
            index=models.Index(condition=models.Q(('trigger', 'backfill')), fields=['-id'], name='job_of_backfill'),
        ),
        AddIndexWithoutLock(
            model_name='backfillimage',
            index=models.Index(fields=['-run', 'rank'], name='backfill_image_listed'),
        ),
        migrations.RunPython(build_search, migrations.RunPython.noop, elidable=True),
    ]
