from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0020_first_seen'),
    ]

    operations = [
        migrations.AddField(
            model_name='operatoraction',
            name='token',
            field=models.CharField(blank=True, db_default='', default='', help_text='API token that the user used.', max_length=200),
        ),
    ]
