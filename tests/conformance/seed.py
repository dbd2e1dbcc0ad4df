"""The installation under test: runs inside `manage.py shell`, prints its secrets as JSON."""

import json
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from chargers.services.lifecycle import set_password
from config.demo.data import ADMIN_PASSWORD, ADMIN_USER
from infrastructure.choices import Capability
from infrastructure.models import EVSE, Charger, Connector, Location, Operator, Site
from infrastructure.services import masterdata
from roaming.models import RoamingPlatform, RoamingProfile
from roaming.services.tokens import generate_registration_token
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff, SessionSettings, TariffDetail
from tariffs.services.publish import publish_tariff

PASSWORD = "a-secret-of-this-charger"
EVSES = 60
AREAS = 4  # that terminals see; others also one that has no tariff
MANY = 105  # more areas than a page of a list has
BLOCKED = 40
ADDRESS = "A street with a name so long that no display of a terminal can show all of it, 17"
NIGHT_HOURS = {"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}
CAPABILITIES = [
    Capability.RESERVABLE,
    Capability.UNLOCK_CAPABLE,
    Capability.CHARGING_PROFILE_CAPABLE,
    Capability.CHARGING_PREFERENCES_CAPABLE,
]
# code -> type; those that begin with "new" are registered by single tests.
PLATFORMS = {
    "ptp": "PTP",
    "other": "PTP",
    "emsp": "EMSP",
    "hub": "HUB",
    **{f"new-{number}": "PTP" for number in range(1, 13)},
    "new-emsp": "EMSP",
}


def main() -> None:
    with transaction.atomic():
        get_user_model().objects.create_superuser(ADMIN_USER, "", ADMIN_PASSWORD)
        masterdata.save(Site(pk=1, name="Conformance", email="help@example.com"))
        first, second = _operator("Volt & Co"), _operator("Amp & Co")
        profiles = [_profile("volt", "VLT", first), _profile("amp", "AMP", second)]
        _area(first, "MAIN", "CP-1", EVSES, CAPABILITIES, address=ADDRESS)
        hours = {"twentyfourseven": False, "regular_hours": [NIGHT_HOURS]}
        hidden = {"publish": False, "publish_allowed_to": [{"issuer": "Club", "visual_number": "1"}]}
        _area(first, "NIGHT", "CP-OFF", 2, [Capability.START_SESSION_CONNECTOR_REQUIRED], opening_times=hours, **hidden)
        _area(first, "EDIT", "CP-EDIT", 3, [])
        _area(second, "SECOND", "CP-2", 1, [])
        # Seen by one partner alone, which reads lists.
        many = _operator("Many & Co")
        for number in range(MANY):
            _area(many, f"P-{number:03}", f"CP-P{number:03}", 1, [])
        # Seen by who asks for no tariff.
        bare = _operator("Bare & Co")
        profiles[1].operators.add(bare)
        _area(bare, "BARE", "CP-BARE", 1, [])
        # Energy of the roaming tariff is billed in steps, to see that it is not published so.
        tariffs = [_tariff("ADHOC", TariffType.AD_HOC_PAYMENT), _tariff("PLAIN", TariffType.REGULAR, step=500)]
        for operator in (first, second, many):
            settings = SessionSettings(operator=operator)
            masterdata.save(settings)
            settings.tariffs.set(tariffs)
        tokens = {code: _platform(code, kind, profiles, tariffs) for code, kind in PLATFORMS.items()}
        RoamingPlatform.objects.get(code="new-9").profiles.add(_profile("many", "MNY", many))
    print(json.dumps({"user": ADMIN_USER, "password": ADMIN_PASSWORD, "charger": PASSWORD, "tokens": tokens}))


def _operator(name: str) -> Operator:
    operator = Operator(name=name, phone="+43 1 2345670", legal_name=f"{name} GmbH", legal_address="Ring 1, 1010 Wien")
    masterdata.save(operator)
    return operator


def _profile(code: str, party_id: str, operator: Operator) -> RoamingProfile:
    profile = RoamingProfile(name=operator.name, code=code, country_code="AT", party_id=party_id)
    masterdata.save(profile)
    profile.operators.add(operator)
    return profile


def _area(
    operator: Operator, name: str, identity: str, evses: int, capabilities: list[Capability], **fields: Any
) -> None:
    values = {"address": "Stephansplatz 4", "city": "Wien", "postal_code": "1010"} | fields
    place = {"latitude": Decimal("48.208490"), "longitude": Decimal("16.372080")}
    area = Location(operator=operator, name=f"Area {name}", roaming_id=name, **values, **place)
    masterdata.save(area)
    charger = Charger(location=area, identity=identity, roaming_id=identity, roaming=True)
    masterdata.save(charger)
    set_password(charger, PASSWORD)
    for number in range(1, evses + 1):
        # The last one of each charger can do nothing beyond what all can.
        can = capabilities if number < evses or len(capabilities) == 1 else []
        evse_id = f"AT*VLT*E{identity.replace('-', '')}*{number}"
        evse = EVSE(charger=charger, number=number, evse_id=evse_id, capabilities=list(can))
        masterdata.save(evse)
        masterdata.save(Connector(evse=evse, roaming_id="1", max_electric_power=22_000))


def _tariff(code: str, kind: TariffType, *, step: int = 1) -> RoamingTariff:
    tariff = RoamingTariff(name=code, code=code, type=kind, preauthorisation=Decimal(BLOCKED))
    masterdata.save(tariff)
    vat = {f"{part}_vat": Decimal(20) for part in ("energy", "park_time", "flat", "reservation_time")}
    prices = {"energy_price": Decimal("0.54"), "park_time_price": Decimal("3.60"), "flat_price": Decimal("0.60")}
    reserved = {"reservation_time_price": Decimal("6.00")}
    masterdata.save(TariffDetail(tariff=tariff, energy_step_size=step, **prices, **reserved, **vat))
    tariff.status = TariffStatus.ACTIVE
    masterdata.save(tariff)
    publish_tariff(tariff)
    return tariff


def _platform(code: str, kind: str, profiles: list[RoamingProfile], tariffs: list[RoamingTariff]) -> str:
    platform = RoamingPlatform(name=f"Partner {code}", code=code, type=kind)
    masterdata.save(platform)
    platform.profiles.set(profiles)
    platform.tariffs.set(tariffs)
    return generate_registration_token(platform)
