"""Fills the database of `benchmarks/ocpp.py`: areas with four chargers each, and a card that may charge for each.

Cards are the operator's own, or those of a partner with a tariff: the dearest kind that needs no word with the partner.
"""

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.ocpi_seed import make_area, make_operator, make_platform, make_rows, make_tariff, render
from chargers.choices import TokenType, WhitelistType
from chargers.models import ChargerConnection, IdToken, Token
from chargers.services.lifecycle import PASSWORD_PURPOSE
from infrastructure import secrets
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Charger, Connector, Location
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform

CHARGERS_OF_AN_AREA = 4


def identity(number: int) -> str:
    return f"CP-{number:05}"


def id_tag(number: int) -> str:
    return f"CARD{number:05}"


def seed(chargers: int, password: str, *, of_partner: bool) -> None:
    with transaction.atomic():
        operator, tariff = make_operator(), make_tariff()
        platform = make_platform("partner", operator, tariff, "token-of-the-partner")
        platform.type = PlatformType.EMSP
        platform.save()
        areas = make_rows(Location, -(-chargers // CHARGERS_OF_AN_AREA), lambda number: make_area(operator, number))
        rows = make_rows(Charger, chargers, lambda number: _charger(areas[number // CHARGERS_OF_AN_AREA], number))
        evses = make_rows(EVSE, chargers, lambda number: _evse(rows[number], number))
        make_rows(Connector, chargers, lambda number: Connector(evse=evses[number], roaming_id="1"))
        stored = secrets.keyed_hash(password, purpose=PASSWORD_PURPOSE)
        make_rows(ChargerConnection, chargers, lambda n: ChargerConnection(charger=rows[n], password_hash=stored))
        if of_partner:
            make_rows(Token, chargers, lambda number: _token(platform, number))
        else:
            make_rows(IdToken, chargers, lambda number: IdToken(operator=operator, id_tag=id_tag(number)))
    render(platform, [area.pk for area in areas])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _charger(area: Location, number: int) -> Charger:
    return Charger(location=area, identity=identity(number), roaming_id=identity(number), roaming=True)


def _evse(charger: Charger, number: int) -> EVSE:
    return EVSE(charger=charger, number=1, evse_id=f"AT*VLT*E{number:05}", status=EVSEStatus.AVAILABLE)


def _token(platform: RoamingPlatform, number: int) -> Token:
    owner = {"country_code": "NL", "party_id": "EMS"}
    card = {"uid": id_tag(number), "type": TokenType.RFID.value, "whitelist": WhitelistType.ALWAYS.value}
    body = owner | card | {"contract_id": f"NL-EMS-{number:05}", "issuer": "Benchmark", "valid": True}
    body["last_updated"] = "2026-01-01T00:00:00Z"
    return Token(peer_id=platform.peer_id, is_valid=True, body=body, last_updated=timezone.now(), **owner, **card)
