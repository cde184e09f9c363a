import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import mirrors.models.configuration.registries

COPY = """
INSERT INTO mirrors_clusteraccess (mapping_id, cluster, namespace, granted, checked_at)
SELECT mapping_id, 'default', namespace, granted, checked_at FROM mirrors_mappingaccess
"""


def name_of(default):
    return {"blank": True, "db_default": default, "default": default, "max_length": 63}


class Migration(migrations.Migration):

    dependencies = [
        ('mirrors', '0026_running_images'),
    ]

    operations = [
        *(
            migrations.AddField(model_name=name, name='cluster', field=models.CharField(**name_of('default')))
            for name in ('admissionsample', 'decisioncount', 'imageuse', 'instance', 'mirrorrequest')
        ),
        *(
            migrations.AddField(
                model_name=name,
                name='cluster',
                field=models.CharField(help_text='Name of the cluster it is for; empty: all clusters.', **name_of('')),
            )
            for name in ('filter', 'registry')
        ),
        migrations.AddField(
            model_name='registry',
            name='clusters',
            field=models.JSONField(blank=True, db_default=[], default=list, editable=False, help_text='Clusters whose configuration files name this target.'),
        ),
        migrations.AddField(
            model_name='mirrorjob',
            name='cluster',
            field=models.CharField(help_text='Cluster of the namespace; empty: requested by a user.', **name_of('default')),
        ),
        migrations.AddField(
            model_name='mirrorjob',
            name='needs_cluster',
            field=models.CharField(help_text='Cluster whose workers alone can read the source for its requesters; empty: any worker may try.', **name_of('')),
        ),
        migrations.AddField(
            model_name='mirrorjob',
            name='tried_clusters',
            field=models.TextField(blank=True, db_default='', default='', editable=False, help_text='Clusters whose workers could not read the source, comma-separated.'),
        ),
        migrations.AlterField(
            model_name='registry',
            name='namespaces',
            field=models.JSONField(blank=True, db_default=[], default=list, help_text='Namespaces that may use private images read with them; CLUSTER/NAMESPACE for that of one cluster; * for all; empty: public images only.', validators=[mirrors.models.configuration.registries.validate_namespaces]),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.UniqueConstraint(fields=('role', 'cluster', 'name'), name='instance_of_cluster_unique'),
        ),
        migrations.RemoveConstraint(model_name='instance', name='instance_unique'),
        migrations.AddConstraint(
            model_name='filter',
            constraint=models.UniqueConstraint(fields=('managed_by', 'cluster', 'name'), name='filter_of_cluster_unique', violation_error_message='There is a filter of this name already: choose another one.'),
        ),
        migrations.RemoveConstraint(model_name='filter', name='filter_name_unique'),
        migrations.AddConstraint(
            model_name='registry',
            constraint=models.UniqueConstraint(fields=('role', 'cluster', 'endpoint', 'prefix'), name='registry_of_cluster_unique', violation_error_message='There is a registry of this host already: edit that one (or the configuration file, if it comes from there).'),
        ),
        migrations.RemoveConstraint(model_name='registry', name='registry_endpoint_unique'),
        # The previous release names the columns of its unique constraint when it writes. Its table is kept unchanged
        # while that release may run, but without the foreign key, which would prevent mappings from being deleted.
        migrations.AlterField(
            model_name='mappingaccess',
            name='mapping',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='accesses', to='mirrors.imagemapping'),
        ),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('MappingAccess')]),
        migrations.CreateModel(
            name='MappingAccess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cluster', models.CharField(**name_of('default'))),
                ('namespace', models.CharField(max_length=63)),
                ('granted', models.BooleanField()),
                ('checked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('mapping', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='accesses', to='mirrors.imagemapping')),
            ],
            options={
                'verbose_name': 'pull secret check',
                'verbose_name_plural': 'pull secrets',
                'db_table': 'mirrors_clusteraccess',
                'constraints': [models.UniqueConstraint(fields=('mapping', 'cluster', 'namespace'), name='cluster_access_unique')],
            },
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop, elidable=True),
    ]
