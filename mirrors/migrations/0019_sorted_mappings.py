from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Coalesce

from mirrors.models.base.indexes import AddIndexWithoutLock


class Migration(migrations.Migration):

    # Indexes are built without blocking writers.
    atomic = False

    dependencies = [
        ('mirrors', '0018_plain_words'),
    ]

    operations = [
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(fields=['source'], name='mapping_by_source'),
        ),
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(Coalesce('size_bytes', -1).desc(), F('id').desc(), name='mapping_by_size'),
        ),
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(fields=['existence', 'paused', 'obstacle'], name='mapping_states'),
        ),
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(condition=models.Q(('paused', True)), fields=['id'], name='mapping_paused'),
        ),
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(condition=models.Q(('obstacle', ''), _negated=True), fields=['id'], name='mapping_blocked'),
        ),
        AddIndexWithoutLock(
            model_name='imagemapping',
            index=models.Index(condition=models.Q(('obstacle', ''), ('paused', False), models.Q(('existence', 'present'), _negated=True)), fields=['last_job'], name='mapping_not_mirrored'),
        ),
    ]
