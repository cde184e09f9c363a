from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0019_sorted_mappings'),
    ]

    operations = [
        migrations.AddField(
            model_name='decisioncount',
            name='first_seen',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether the image had no mapping yet: its first pod requested the copy.'),
        ),
        migrations.AddConstraint(
            model_name='decisioncount',
            constraint=models.UniqueConstraint(fields=('hour', 'namespace', 'source_host', 'decision', 'reason', 'filter', 'first_seen'), name='decision_count_seen_unique'),
        ),
        migrations.RemoveConstraint(
            model_name='decisioncount',
            name='decision_count_by_filter_unique',
        ),
    ]
