"""A PTP with one area of two chargers, and the sessions, CDRs and objects that its tests need."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from chargers.choices import SessionStatus, StopReason
from chargers.models import CDR, ChargingSession
from infrastructure.models import EVSE, Charger, Connector, Location, Operator, Site
from payments.models import Terminal
from roaming.choices import InterfaceRole
from roaming.models import PlatformEndpoint, RoamingPlatform
from tests.roaming.factories import ProfileFactory, RegisteredPlatformFactory

START = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)
REFERENCE = "pp-T1-000123"

_numbers = count(1)


def make_operator(name: str = "Acme Charging", **fields: Any) -> Operator:
    site, _ = Site.objects.get_or_create(pk=1, defaults={"name": "Plugtill"})
    details = {"legal_name": f"{name} GmbH", "legal_address": "Ring 1, 1010 Wien", "vat_number": "ATU12345678"}
    return Operator.objects.create(site=site, name=name, **(details | fields))


def make_platform(*operators: Operator, party: tuple[str, str] = ("AT", "PLG"), **fields: Any) -> RoamingPlatform:
    profile = ProfileFactory(country_code=party[0], party_id=party[1], operators=list(operators))
    return RegisteredPlatformFactory(profiles=[profile], **fields)


def list_payments(platform: RoamingPlatform, url: str = "https://ptp.example/ocpi/2.2.1/payments") -> None:
    PlatformEndpoint.objects.create(platform=platform, identifier="payments", role=InterfaceRole.SENDER, url=url)


def make_area(operator: Operator, roaming_id: str = "VIE-HQ", **fields: Any) -> Location:
    address = {"name": f"Area {roaming_id}", "address": "Ring 1", "city": "Wien", "postal_code": "1010"}
    position = {"latitude": Decimal("48.208490"), "longitude": Decimal("16.372080"), "time_zone": "Europe/Vienna"}
    return Location.objects.create(operator=operator, roaming_id=roaming_id, **(address | position | fields))


def make_evse(area: Location, number: int = 1) -> EVSE:
    charger, _ = Charger.objects.get_or_create(
        identity=f"CP-{area.pk}", defaults={"location": area, "roaming_id": f"CP-{area.roaming_id}", "roaming": True}
    )
    evse = EVSE.objects.create(charger=charger, number=number, evse_id=f"AT*PLG*E{area.pk}*{number}")
    Connector.objects.create(evse=evse, roaming_id="1")
    return evse


def make_terminal(platform: RoamingPlatform, terminal_id: str = "T1", **fields: Any) -> Terminal:
    return Terminal.objects.create(platform=platform, terminal_id=terminal_id, **fields)


def make_session(
    platform: RoamingPlatform | None, evse: EVSE, reference: str = REFERENCE, **fields: Any
) -> ChargingSession:
    area = evse.charger.location
    values = {
        "connector": evse.connectors.get(),
        "status": SessionStatus.COMPLETED,
        "peer_id": platform.peer_id if platform else "",
        "authorization_reference": reference,
        "country_code": "AT",
        "party_id": "PLG",
        "cdr_token": {
            "country_code": "NL",
            "party_id": "PTP",
            "uid": "1",
            "type": "AD_HOC_USER",
            "contract_id": "1",
        },
        "id_tag": f"TAG{next(_numbers)}",
        "place": {
            "id": area.roaming_id,
            "name": area.name,
            "address": area.address,
            "city": area.city,
            "postal_code": area.postal_code,
            "country": "AUT",
            "evse_uid": evse.effective_uid,
            "evse_id": evse.evse_id,
        },
        "currency": "EUR",
        "time_zone": "Europe/Vienna",
        "limit": Decimal(50),
        "started_at": START,
        "ended_at": START + timedelta(minutes=90),
        "stop_reason": StopReason.DRIVER,
    }
    return ChargingSession.objects.create(**(values | fields))


def line(
    dimension: str, quantity: str, unit_price: str, excl_vat: str, incl_vat: str, vat: str | None = "20"
) -> dict[str, Any]:
    return {
        "dimension": dimension,
        "quantity": quantity,
        "unit_price": unit_price,
        "vat": vat,
        "excl_vat": excl_vat,
        "incl_vat": incl_vat,
    }


ENERGY = line("ENERGY", "20.0000", "0.4083", "8.1660", "9.7992")


def make_cdr(session: ChargingSession, total: str = "9.7992", **fields: Any) -> CDR:
    cost = {"lines": [ENERGY], "vat_totals": [{"vat": "20", "net": "8.17", "vat_amount": "1.63", "gross": "9.80"}]}
    values = {
        "currency": session.currency,
        "start_date_time": session.started_at,
        "end_date_time": session.ended_at,
        "charging_periods": [],
        "total_energy": Decimal(20),
        "total_time": Decimal("1.5"),
        "total_parking_time": Decimal(0),
        "total_cost_excl_vat": Decimal("8.1660"),
        "total_cost_incl_vat": Decimal(total),
        "cost": cost,
        "remark": "Stopped by the driver.",
    }
    return CDR.objects.create(session=session, **(values | fields))


def advice_body(advice_id: str = "A1", reference: str = REFERENCE, **fields: Any) -> dict[str, Any]:
    """A FinancialAdviceConfirmation as a PTP sends it."""
    body = {
        "id": advice_id,
        "authorization_reference": reference,
        "total_costs": {"excl_vat": 8.17, "incl_vat": 9.8},
        "currency": "EUR",
        "eft_data": ["DEBIT MASTERCARD", "**** **** **** 1234", "Amount: EUR 9.80"],
        "capture_status_code": "SUCCESS",
        "last_updated": "2024-03-01T10:31:00Z",
    }
    return body | fields
