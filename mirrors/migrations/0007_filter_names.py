from django.db import migrations, models

import mirrors.models.filter


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0006_admission_sample_counts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='filter',
            name='name',
            field=models.CharField(max_length=200, validators=[mirrors.models.filter.validate_name]),
        ),
    ]
