"""Fills the database of `benchmarks/ocpi.py`: areas with a charger of two EVSEs with a connector each.

Rows are written in bulk; what the platform may pull is rendered by the functions that do so in production.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from chargers.models import ChargerConnection
from infrastructure.choices import Capability, EVSEStatus, ParkingType
from infrastructure.models import EVSE, Charger, Connector, Location, Operator, Site
from infrastructure.services import masterdata
from roaming.choices import Module, PlatformState, PlatformType
from roaming.models import Document, RoamingPlatform, RoamingProfile
from roaming.ocpi.types import format_datetime
from roaming.services import documents, exposure
from roaming.services.tokens import hash_token
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail
from tariffs.services.publish import publish_tariff

BATCH = 1_000
EVSES = 2
EXPOSED_AT = timezone.now()
Row = TypeVar("Row", bound=Model)


def seed(locations: int, token: str) -> None:
    """Another platform sees the same areas: its documents are in the same table, never in an answer."""
    with transaction.atomic():
        operator, tariff = make_operator(), make_tariff()
        platform = make_platform("measured", operator, tariff, token)
        areas = make_rows(Location, locations, lambda number: make_area(operator, number))
        chargers = make_rows(Charger, locations, lambda number: make_charger(areas[number], number))
        evses = make_rows(EVSE, EVSES * locations, lambda number: make_evse(chargers[number // EVSES], number))
        make_rows(Connector, EVSES * locations, lambda number: make_connector(evses[number]))
        # A socket that nobody reads: a start is accepted and its call waits.
        make_rows(ChargerConnection, locations, lambda n: ChargerConnection(charger=chargers[n], channel_name="none"))
    for seen_by in (platform, make_platform("other", operator, tariff, token[::-1])):
        render(seen_by, [area.pk for area in areas])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def make_rows(model: type[Row], number: int, make: Callable[[int], Row]) -> list[Row]:
    return model._default_manager.bulk_create(map(make, range(number)), batch_size=BATCH)


def make_operator() -> Operator:
    masterdata.save(Site(pk=1, name="Benchmark", email="help@example.com"))
    operator = Operator(name="Volt & Co", website="https://volt.example", phone="+43 1 2345670")
    operator.legal_name, operator.legal_address = "Volt & Co GmbH", "Ring 1, 1010 Wien"
    masterdata.save(operator)
    return operator


def make_tariff() -> RoamingTariff:
    tariff = RoamingTariff(name="Ad hoc", code="ADHOC", preauthorisation=Decimal(40))
    masterdata.save(tariff)
    masterdata.save(TariffDetail(tariff=tariff, energy_price=Decimal("0.54"), energy_vat=Decimal(20)))
    tariff.status = TariffStatus.ACTIVE
    masterdata.save(tariff)
    publish_tariff(tariff)
    return tariff


def make_platform(code: str, operator: Operator, tariff: RoamingTariff, token: str) -> RoamingPlatform:
    profile, is_new = RoamingProfile.objects.get_or_create(
        code="volt", defaults={"name": operator.name, "country_code": "AT", "party_id": "VLT"}
    )
    if is_new:
        profile.operators.add(operator)
        settings = SessionSettings(operator=operator)
        masterdata.save(settings)
        settings.tariffs.add(tariff)
    platform = RoamingPlatform(name=f"Partner {code}", code=code, type=PlatformType.PTP)
    platform.state, platform.server_token_hash = PlatformState.REGISTERED, hash_token(token)
    platform.save()
    platform.profiles.add(profile)
    platform.tariffs.add(tariff)
    return platform


def make_area(operator: Operator, number: int) -> Location:
    return Location(
        first_exposed_at=EXPOSED_AT,
        operator=operator,
        name=f"Garage {number} in the middle of the town",
        roaming_id=f"AREA-{number:05}",
        address=f"Long street with a name {number}",
        city="Göttlesbrunn",
        postal_code=f"{1000 + number % 9000}",
        latitude=Decimal("48.058330"),
        longitude=Decimal("16.734720"),
        parking_type=ParkingType.UNDERGROUND_GARAGE,
        directions=[{"language": "en", "text": "Second basement, behind the lifts."}],
    )


def make_charger(area: Location, number: int) -> Charger:
    return Charger(
        first_exposed_at=EXPOSED_AT,
        location=area,
        identity=f"CP-{number:05}",
        roaming_id=f"CP-{number:05}",
        roaming=True,
    )


def make_evse(charger: Charger, number: int) -> EVSE:
    return EVSE(
        first_exposed_at=EXPOSED_AT,
        charger=charger,
        number=number % EVSES + 1,
        evse_id=f"AT*VLT*E{number // EVSES:05}*{number % EVSES + 1}",
        status=EVSEStatus.AVAILABLE,
        capabilities=[Capability.CREDIT_CARD_PAYABLE.value, Capability.CONTACTLESS_CARD_SUPPORT.value],
    )


def make_connector(evse: EVSE) -> Connector:
    return Connector(first_exposed_at=EXPOSED_AT, evse=evse, roaming_id="1")


def render(platform: RoamingPlatform, area_ids: list[int]) -> None:
    """What `documents.refresh_platform` does with as many areas, without a query and a push for each."""
    profiles, tariffs = exposure.profiles_by_operator(platform), exposure.resolver(platform)
    for start in range(0, len(area_ids), BATCH):
        areas = exposure.with_parts(Location.objects.filter(pk__in=area_ids[start : start + BATCH])).order_by("pk")
        bodies = [(area.pk, documents.location_body(platform, area, profiles, tariffs, None)) for area in areas]
        Document.objects.bulk_create(_document(platform, pk, body) for pk, body in bodies if body is not None)


def _document(platform: RoamingPlatform, source_id: int, body: documents.Json) -> Document:
    now = timezone.now()
    stamped = documents.stamp(body, None, format_datetime(now))
    owner = {name: body[name] for name in ("country_code", "party_id")}
    return Document(
        platform=platform,
        module=Module.LOCATIONS,
        source_id=source_id,
        object_id=body["id"],
        body=stamped,
        last_updated=now,
        **owner,
    )
