from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TariffsConfig(AppConfig):
    name = "tariffs"
    verbose_name = _("Tariffs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from infrastructure.services import masterdata
        from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffText
        from tariffs.services import publish, validation

        masterdata.on_check(RoamingTariff, validation.check_tariff)
        masterdata.on_check(TariffDetail, validation.check_detail)
        masterdata.on_check(TariffText, validation.check_text)
        masterdata.on_check(SessionSettings, validation.check_level)
        masterdata.on_change(RoamingTariff, publish.follow_tariff)
        masterdata.on_change(TariffDetail, publish.follow_part)
        masterdata.on_change(TariffText, publish.follow_part)
        masterdata.on_change(SessionSettings, publish.follow_settings)
        masterdata.on_deleted(RoamingTariff, publish.follow_tariff)
        masterdata.on_deleted(TariffDetail, publish.follow_part)
        masterdata.on_deleted(TariffText, publish.follow_part)
        masterdata.on_deleted(SessionSettings, publish.follow_settings)
