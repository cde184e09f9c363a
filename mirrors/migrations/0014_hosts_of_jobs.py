from datetime import timedelta

from django.db import migrations, models
from django.db.models import DateTimeField, ExpressionWrapper, OuterRef, Subquery, Value
from django.db.models.functions import Now, StrIndex, Substr


def fill(apps, schema_editor):
    """Fill in the hosts of live jobs, which claims read, and limit times that an older version copied unchecked from
    registries."""
    Job = apps.get_model('mirrors', 'MirrorJob')
    mapping = apps.get_model('mirrors', 'ImageMapping').objects.filter(pk=OuterRef('mapping_id'))
    host_of = lambda field: Subquery(mapping.values_list(Substr(field, 1, StrIndex(field, Value('/')) - 1))[:1])
    live = Job.objects.filter(status__in=['pending', 'running'], source_host='')
    live.update(source_host=host_of('source'), target_host=host_of('target'))
    in_an_hour = ExpressionWrapper(Now() + timedelta(hours=1), output_field=DateTimeField())
    Job.objects.filter(status='pending', available_at__gt=in_an_hour).update(available_at=in_an_hour)
    apps.get_model('mirrors', 'HostBudget').objects.filter(resting_until__gt=in_an_hour).update(resting_until=in_an_hour)


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0013_limits_of_rows'),
    ]

    operations = [
        migrations.AddField(
            model_name='hostbudget',
            name='probe_until',
            field=models.DateTimeField(blank=True, editable=False, help_text='Until when one job alone talks to it after its pause.', null=True),
        ),
        migrations.AddField(
            model_name='mirrorjob',
            name='source_host',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Read from.', max_length=260),
        ),
        migrations.AddField(
            model_name='mirrorjob',
            name='target_host',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Written to.', max_length=260),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
