"""Fills the database of `benchmarks/load.py`: chargers that may connect, and platforms that are registered."""

from django.db import connection, transaction
from django.db.models import F

from benchmarks.load_events import PASSWORD, token_of
from benchmarks.ocpi_seed import (
    make_area,
    make_charger,
    make_connector,
    make_evse,
    make_operator,
    make_platform,
    make_rows,
    make_tariff,
    render,
)
from chargers.models import ChargerConnection
from chargers.services.lifecycle import PASSWORD_PURPOSE
from infrastructure import secrets
from infrastructure.models import EVSE, Charger, Connector, Location
from roaming.choices import Module
from roaming.models import Document, PlatformEndpoint, PlatformRole, RoamingPlatform

CHARGERS_OF_AN_AREA = 4


def seed(chargers: int, platforms: dict[str, str]) -> None:
    """`platforms`: the address of each by its name."""
    with transaction.atomic():
        operator, tariff = make_operator(), make_tariff()
        areas = make_rows(Location, -(-chargers // CHARGERS_OF_AN_AREA), lambda number: make_area(operator, number))
        stations = make_rows(Charger, chargers, lambda n: make_charger(areas[n // CHARGERS_OF_AN_AREA], n))
        evses = make_rows(EVSE, chargers, lambda n: make_evse(stations[n], 2 * n))
        make_rows(Connector, chargers, lambda n: make_connector(evses[n]))
        hashed = secrets.keyed_hash(PASSWORD, purpose=PASSWORD_PURPOSE)
        make_rows(ChargerConnection, chargers, lambda n: ChargerConnection(charger=stations[n], password_hash=hashed))
    for name, url in platforms.items():
        platform = make_platform(name, operator, tariff, token_of(name))
        _register(platform, url)
        render(platform, [area.pk for area in areas])
    # As if everything had been pushed, and confirmed, before.
    Document.objects.update(acknowledged=F("body"))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _register(platform: RoamingPlatform, url: str) -> None:
    platform.url, platform.ocpi_version = f"{url}/versions", "2.2.1"
    platform.client_token_encrypted = secrets.encrypt("token-that-we-send")
    platform.save()
    PlatformRole.objects.create(
        platform=platform, role="OTHER", country_code="NL", party_id="PTP", business_name=platform.name
    )
    for module in (Module.LOCATIONS, Module.TARIFFS, Module.SESSIONS, Module.CDRS):
        PlatformEndpoint.objects.create(
            platform=platform, identifier=module, role="RECEIVER", url=f"{url}/2.2.1/{module}"
        )
