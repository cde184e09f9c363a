from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0028_unique_in_clusters'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReadinessSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cluster', models.CharField(max_length=63)),
                ('hour', models.DateTimeField()),
                ('workloads', models.PositiveIntegerField()),
                ('unprotected', models.PositiveIntegerField(help_text='Workloads with an image that needs its source to start.')),
                ('taken_at', models.DateTimeField(db_default=Now())),
            ],
            options={
                'verbose_name': 'readiness',
                'verbose_name_plural': 'readiness',
                'constraints': [models.UniqueConstraint(fields=('cluster', 'hour'), name='readiness_sample_unique')],
            },
        ),
    ]
