"""A charger with one outlet, a tariff, and what a charger would say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls, sessions
from chargers.services.commands import StartRequest, request_start
from chargers.services.events import (
    MeterValuesReceived,
    Reading,
    TransactionEnded,
    TransactionStarted,
)
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Connector
from tariffs.models import RoamingTariff, TariffVersion
from tests.infrastructure.factories import ConnectorFactory

CHANNEL = "specific.test!socket"
PEER = "peer-1"
METER_START = 12_345


def make_connector(*, online: bool = True, status: str = EVSEStatus.AVAILABLE) -> Connector:
    """A connector whose charger is connected by the socket CHANNEL."""
    connector = ConnectorFactory(evse__number=1, evse__status=status)
    ChargerConnection.objects.create(
        charger=connector.evse.charger,
        channel_name=CHANNEL if online else "",
        last_seen_at=timezone.now(),
        disconnected_at=None if online else timezone.now(),
    )
    return connector


def make_version(
    *,
    energy: str = "0.5000",
    hour: str = "0",
    parking: str = "0",
    flat: str = "0",
    vat: str = "20",
    preauthorisation: str | None = "50.00",
    max_price: dict[str, float] | None = None,
    min_price: dict[str, float] | None = None,
) -> TariffVersion:
    """One element for all hours; prices are net per kWh, per hour and per session."""
    number = RoamingTariff.objects.count() + 1
    tariff = RoamingTariff.objects.create(name=f"Tariff {number}", code=f"T{number}")
    prices = {"FLAT": flat, "ENERGY": energy, "TIME": hour, "PARKING_TIME": parking}
    components = [
        {"type": kind, "price": float(price), "vat": float(vat), "step_size": 1} for kind, price in prices.items()
    ]
    content = {
        "id": tariff.code,
        "currency": "EUR",
        "type": "AD_HOC_PAYMENT",
        "elements": [{"price_components": components}],
        "min_price": min_price,
        "max_price": max_price,
        "preauthorisation": preauthorisation,
        "tariff_alt_text": [{"language": "en", "text": "Test"}],
        "start_date_time": None,
        "end_date_time": None,
    }
    return TariffVersion.objects.create(tariff=tariff, number=1, content=content)


def make_start(connector: Connector, **changes: Any) -> StartRequest:
    version = changes.pop("tariff_version", None) or make_version()
    values: dict[str, Any] = {
        "connector": connector,
        "peer_id": PEER,
        "country_code": "AT",
        "party_id": "PLG",
        "authorization_reference": f"REF-{ChargingSession.objects.count() + 1}",
        "cdr_token": {"uid": "0001", "type": "AD_HOC_USER"},
        "tariff_version": version,
        "limit": Decimal("50.00"),
        "place": {"id": "LOC-1"},
        "expires_at": timezone.now() + timedelta(seconds=30),
    }
    return StartRequest(**{**values, **changes})


def make_pending(connector: Connector | None = None, **changes: Any) -> ChargingSession:
    """A session whose start was requested and not yet answered."""
    call = request_start(make_start(connector or make_connector(), **changes))
    return ChargingSession.objects.get(pk=call.session_id)


def make_active(
    connector: Connector | None = None, *, ago: timedelta = timedelta(hours=1), **changes: Any
) -> ChargingSession:
    """A session that the charger has accepted and started `ago`."""
    session = make_pending(connector, **changes)
    ChargingSession.objects.filter(pk=session.pk).update(created_at=timezone.now() - ago - minutes(1))
    OutgoingCall.objects.filter(session=session).update(state="SENT")
    calls.finish_call(session.calls.get().pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    start(session, timezone.now() - ago)
    return reread(session)


def reread(session: ChargingSession) -> ChargingSession:
    """The stored session, and not what a test was given earlier."""
    return ChargingSession.objects.select_related("connector__evse", "tariff_version").get(pk=session.pk)


def charger_of(session: ChargingSession) -> int:
    return EVSE.objects.get(connectors__sessions=session).charger_id


def start(session: ChargingSession, at: datetime, **changes: Any) -> sessions.StartAnswer:
    values: dict[str, Any] = {"evse_number": 1, "id_tag": session.id_tag, "meter_start": Decimal(METER_START)}
    return sessions.start_session(charger_of(session), TransactionStarted(**{**values, **changes}, at=at))


def meter_values(session: ChargingSession, *values: tuple[datetime, float, float | None]) -> MeterValuesReceived:
    """`values` are (instant, Wh since the start, W)."""
    readings = tuple(Reading(at, Decimal(METER_START + wh), None if w is None else Decimal(w)) for at, wh, w in values)
    return MeterValuesReceived(1, session.pk, readings)


def end(session: ChargingSession, at: datetime, wh: float, **changes: Any) -> bool:
    """`wh` since the start."""
    values: dict[str, Any] = {"transaction_id": session.pk, "meter_stop": Decimal(METER_START + wh), "at": at}
    return sessions.end_session(charger_of(session), TransactionEnded(**{**values, **changes})) is not None


def everyone(told: Sequence[Any]) -> dict[int, None]:
    """What services answer that took in all of `told` together and have nothing to say."""
    return dict.fromkeys(range(len(told)))


def tell_all(together: Any, alone: Any, told: Sequence[Any]) -> list[Any]:
    """What became of each, as `Gathering` does it: together what fits, the others by themselves afterwards."""
    answers = dict(together(told))
    for number, one in enumerate(told):
        if number not in answers:
            try:
                answers[number] = alone(*one)
            except Exception as error:
                answers[number] = error
    return [answers[number] for number in range(len(told))]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


MONDAY = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
