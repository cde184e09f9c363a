from django.db import migrations, models

import mirrors.models.configuration.filters


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0006_admission_sample_counts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='filter',
            name='name',
            field=models.CharField(max_length=200, validators=[mirrors.models.configuration.filters.validate_name]),
        ),
    ]
