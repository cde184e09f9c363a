from django.db import migrations, models

from mirrors.models.base.indexes import AddIndexWithoutLock, RemoveIndexWithoutLock


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('mirrors', '0041_kept_help_text'),
    ]

    operations = [
        AddIndexWithoutLock(
            model_name='mirrorjob',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['status', 'priority', 'available_at', 'id'], name='job_due'),
        ),
        RemoveIndexWithoutLock(
            model_name='mirrorjob',
            name='job_pending',
        ),
    ]
