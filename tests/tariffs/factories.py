from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail, TariffVersion
from tariffs.services.publish import publish_tariff


class TariffFactory(DjangoModelFactory):
    """An active tariff without details, of net prices."""

    class Meta:
        model = RoamingTariff

    name = factory.Sequence(lambda n: f"Tariff {n}")
    code = factory.Sequence(lambda n: f"TARIFF-{n}")
    status = TariffStatus.ACTIVE
    prices_include_vat = False
    preauthorisation = Decimal("50")


class DetailFactory(DjangoModelFactory):
    """0.40 net and 0.48 gross per kWh, always."""

    class Meta:
        model = TariffDetail

    tariff = factory.SubFactory(TariffFactory)
    energy_price = Decimal("0.4000")
    energy_vat = Decimal("20.00")


class SettingsFactory(DjangoModelFactory):
    class Meta:
        model = SessionSettings
        skip_postgeneration_save = True

    @factory.post_generation
    def tariffs(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        self.tariffs.set(extracted or [])


def make_published(**fields: Any) -> RoamingTariff:
    """A tariff with one detail and one version, published before it got the given status."""
    status = fields.pop("status", TariffStatus.ACTIVE)
    tariff = DetailFactory(tariff=TariffFactory(**fields)).tariff
    publish_tariff(tariff)
    tariff.status = status
    tariff.save(update_fields=["status"])
    return tariff


def make_version(**fields: Any) -> TariffVersion:
    return make_published(**fields).versions.get()
