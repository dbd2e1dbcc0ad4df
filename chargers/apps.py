from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChargersConfig(AppConfig):
    name = "chargers"
    verbose_name = _("Charging")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chargers.sentences import SENTENCES
        from chargers.services import connection_security, lifecycle, protection
        from infrastructure import sentences
        from infrastructure.models import EVSE, Charger, Connector
        from infrastructure.services import masterdata

        sentences.know(SENTENCES)
        masterdata.on_check(Charger, connection_security.check_identity)
        masterdata.on_change(Charger, lifecycle.create_connection)
        masterdata.on_delete_check(Charger, protection.refuse_while_charging)
        masterdata.on_delete_check(EVSE, protection.refuse_while_charging)
        masterdata.on_delete_check(Connector, protection.refuse_while_charging)
