from typing import Any

from django.db import migrations, models
from django.db.models import Exists, OuterRef


def empty_doubled_names(apps: Any, schema_editor: Any) -> None:
    """A name that several chargers have stays with the charger whose identity it is, else with the oldest connection.
    Another one of profile 3 is then refused, with the reason on its page, until it has a name of its own."""
    connections = apps.get_model("chargers", "ChargerConnection").objects
    chargers = apps.get_model("infrastructure", "Charger").objects
    identities = chargers.filter(identity=OuterRef("certificate_name")).exclude(pk=OuterRef("charger"))
    older = connections.filter(certificate_name=OuterRef("certificate_name"), pk__lt=OuterRef("pk"))
    named = connections.exclude(certificate_name="")
    named.filter(Exists(identities) | Exists(older)).update(certificate_name="")


class Migration(migrations.Migration):

    dependencies = [
        ('chargers', '0003_withdrawn'),
        ('infrastructure', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(empty_doubled_names, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='chargerconnection',
            constraint=models.UniqueConstraint(condition=models.Q(('certificate_name', ''), _negated=True), fields=('certificate_name',), name='connection_certificate_name'),
        ),
    ]
