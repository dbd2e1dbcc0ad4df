"""The demo's master data, written through the services that admin uses too."""

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from chargers.services.lifecycle import set_password
from infrastructure.choices import Capability, ConnectorFormat, ConnectorStandard, ParkingType, PowerType
from infrastructure.models import EVSE, Charger, Connector, Location, Operator, Site
from infrastructure.secrets import new_secret
from infrastructure.services import masterdata
from roaming.choices import Initiation, PlatformType
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.services.tokens import generate_registration_token
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail

ADMIN_USER = "admin"
ADMIN_PASSWORD = "plugtill-demo"
VAT = Decimal(20)


@dataclass(frozen=True, slots=True)
class DemoCharger:
    """What a simulated charger needs to connect, and where the driver finds it."""

    charger: Charger
    password: str
    evses: int
    power_kw: int
    ocpp: str = "1.6"


@dataclass(frozen=True, slots=True)
class DemoData:
    platform: RoamingPlatform
    registration_token: str
    chargers: list[DemoCharger]


def create() -> DemoData:
    """Raises CommandError when the database holds an installation already."""
    if Site.objects.exists():
        raise CommandError("The demo needs an empty database: this one holds an installation already.")
    with masterdata.one_change():
        get_user_model().objects.create_superuser(ADMIN_USER, "", ADMIN_PASSWORD)
        masterdata.save(Site(pk=1, name="Plugtill demo", email="help@example.com"))
        operator = _operator()
        garage, motorway = _areas(operator)
        slow = _charger(garage, "DEMO-AC-1", evses=2, power_kw=22)
        fast = _charger(motorway, "DEMO-DC-1", evses=1, power_kw=150, ocpp="2.0.1")
        platform = _platform(operator)
        _tariffs(platform, operator, fast.charger)
        token = generate_registration_token(platform)
    return DemoData(platform, token, [slow, fast])


def _operator() -> Operator:
    operator = Operator(
        name="Volt & Co",
        website="https://volt.example",
        phone="+43 1 2345670",
        legal_name="Volt & Co Ladenetz GmbH",
        legal_address="Ringstraße 1, 1010 Wien",
        vat_number="ATU12345678",
    )
    masterdata.save(operator)
    return operator


def _areas(operator: Operator) -> tuple[Location, Location]:
    garage = Location(
        operator=operator,
        name="City garage",
        roaming_id="VIE-CITY",
        address="Stephansplatz 4",
        city="Wien",
        postal_code="1010",
        latitude=Decimal("48.208490"),
        longitude=Decimal("16.372080"),
        parking_type=ParkingType.UNDERGROUND_GARAGE,
    )
    motorway = Location(
        operator=operator,
        name="Motorway rest Göttlesbrunn",
        roaming_id="A4-GOETTLES",
        address="A4 Ostautobahn, km 31",
        city="Göttlesbrunn",
        postal_code="2464",
        latitude=Decimal("48.058330"),
        longitude=Decimal("16.734720"),
        parking_type=ParkingType.ALONG_MOTORWAY,
    )
    masterdata.save(garage)
    masterdata.save(motorway)
    return garage, motorway


def _charger(area: Location, identity: str, *, evses: int, power_kw: int, ocpp: str = "1.6") -> DemoCharger:
    charger = Charger(location=area, identity=identity, name=identity, roaming_id=identity, roaming=True)
    masterdata.save(charger)
    is_dc = power_kw > 43
    for number in range(1, evses + 1):
        evse = EVSE(
            charger=charger,
            number=number,
            evse_id=f"AT*VLT*E{identity.replace('-', '')}*{number}",
            capabilities=[Capability.CREDIT_CARD_PAYABLE, Capability.CONTACTLESS_CARD_SUPPORT],
        )
        masterdata.save(evse)
        masterdata.save(
            Connector(
                evse=evse,
                roaming_id="1",
                standard=ConnectorStandard.IEC_62196_T2_COMBO if is_dc else ConnectorStandard.IEC_62196_T2,
                format=ConnectorFormat.CABLE if is_dc else ConnectorFormat.SOCKET,
                power_type=PowerType.DC if is_dc else PowerType.AC_3_PHASE,
                max_voltage=920 if is_dc else 230,
                max_amperage=200 if is_dc else 32,
                max_electric_power=power_kw * 1000,
            )
        )
    password = new_secret()[:20]
    set_password(charger, password)
    return DemoCharger(charger, password, evses, power_kw, ocpp)


def _platform(operator: Operator) -> RoamingPlatform:
    profile = RoamingProfile(name="Volt & Co", code="volt", country_code="AT", party_id="VLT")
    masterdata.save(profile)
    profile.operators.add(operator)
    platform = RoamingPlatform(
        name="Simulated terminals",
        code="terminals",
        type=PlatformType.PTP,
        country="NLD",
        initiation=Initiation.PARTNER,
    )
    masterdata.save(platform)
    platform.profiles.add(profile)
    return platform


def _tariffs(platform: RoamingPlatform, operator: Operator, fast: Charger) -> None:
    city = _tariff("City ad hoc", "ADHOC-AC", energy=Decimal("0.54"), parking=Decimal("3.60"), blocked=40)
    quick = _tariff("Motorway ad hoc", "ADHOC-DC", energy=Decimal("0.72"), flat=Decimal("0.60"), blocked=25)
    platform.tariffs.set([city, quick])
    for level, tariff in (({"operator": operator}, city), ({"charger": fast}, quick)):
        settings = SessionSettings(**level)
        masterdata.save(settings)
        settings.tariffs.add(tariff)


def _tariff(
    name: str,
    code: str,
    *,
    energy: Decimal,
    blocked: int,
    flat: Decimal | None = None,
    parking: Decimal | None = None,
) -> RoamingTariff:
    tariff = RoamingTariff(name=name, code=code, status=TariffStatus.DRAFT, preauthorisation=Decimal(blocked))
    masterdata.save(tariff)
    masterdata.save(
        TariffDetail(
            tariff=tariff,
            energy_price=energy,
            energy_vat=VAT,
            flat_price=flat,
            flat_vat=VAT if flat else None,
            park_time_price=parking,
            park_time_vat=VAT if parking else None,
        )
    )
    tariff.status = TariffStatus.ACTIVE
    masterdata.save(tariff)
    return tariff
