"""A large installation: one row of each kind is made as usual and then repeated by the database itself."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import GeneratedField, Model
from django.utils import timezone

from chargers.choices import CallAction, CallResult, CallState, ChargerEventKind, SessionStatus, StopReason
from chargers.models import CDR, ChargerEvent, ChargerMessage, ChargingSession, MeterSample, OutgoingCall
from config.demo import data
from infrastructure.models import Charger, Connector, OutboxEvent
from payments.choices import CaptureStatusCode, IssueKind
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue, Terminal
from roaming.choices import CommandResponseType, CommandType, Module, PushState
from roaming.models import Command, Document, Message, Push, RoamingPlatform
from tariffs.models import TariffVersion

CHARGERS_OF_AN_AREA, EVSES_OF_A_CHARGER = 20, 2


def seed(connectors: int, sessions: int) -> None:
    demo = data.create()
    place = _places(demo.chargers[0].charger, connectors)
    _sessions(demo.platform, place, connectors, sessions)
    OutboxEvent.objects.update(processed_at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _places(charger: Charger, connectors: int) -> Connector:
    evses = connectors
    chargers = evses // EVSES_OF_A_CHARGER
    areas = max(1, chargers // CHARGERS_OF_AN_AREA)
    first_area = repeat(charger.location, areas, name="'Area ' || n", roaming_id="'AREA-' || n")
    of_area = f"{first_area} + (n - 1) % {areas}"
    first = repeat(charger, chargers, identity="'CP-' || n", roaming_id="'CP-' || n", location_id=of_area)
    repeat(
        charger.connection,
        chargers,
        charger_id=f"{first} + n - 1",
        channel_name="CASE n % 9 WHEN 0 THEN '' ELSE 'c' END",
    )
    evse = charger.evses.get(number=1)
    ids = {"evse_id": "'AT*BCH*E' || n", "uid": "''", "number": f"1 + (n - 1) / {chargers}"}
    first_evse = repeat(evse, evses, charger_id=f"{first} + (n - 1) % {chargers}", **ids)
    connector = evse.connectors.get()
    first_connector = repeat(connector, connectors, evse_id=f"{first_evse} + n - 1")
    return Connector.objects.get(pk=first_connector)


def _sessions(platform: RoamingPlatform, connector: Connector, connectors: int, number: int) -> None:
    now = timezone.now()
    charger, area = connector.evse.charger, connector.evse.charger.location
    session = ChargingSession.objects.create(
        connector=connector,
        status=SessionStatus.COMPLETED,
        peer_id=platform.peer_id,
        authorization_reference="REFERENCE-0",
        id_tag="TAG0",
        transaction_id="0",
        place={"id": area.roaming_id, "name": area.name, "city": area.city, "evse_id": connector.evse.evse_id},
        currency="EUR",
        time_zone="Europe/Vienna",
        tariff_version=TariffVersion.objects.first(),
        limit=Decimal(50),
        created_at=now,
        started_at=now,
        meter_start=Decimal(0),
        ended_at=now + timedelta(minutes=40),
        kwh=Decimal(20),
        total_cost_excl_vat=Decimal("8.17"),
        total_cost_incl_vat=Decimal("9.80"),
        stop_reason=StopReason.DRIVER,
        last_updated=now,
    )
    for minute in range(40):
        at = now + timedelta(minutes=minute)
        MeterSample.objects.create(session=session, at=at, register_wh=500 * minute, power_w=11000)
    first = repeat(
        session,
        number,
        uid="'S-' || n",
        connector_id=f"{connector.pk} + (n * 7) % {connectors}",
        authorization_reference="'REFERENCE-' || n",
        id_tag="'TAG' || n",
        transaction_id="CAST(n AS text)",
        terminal_id=f"'T-' || (n % {max(1, number // 100)})",
        status="CASE WHEN n <= 500 THEN 'ACTIVE' WHEN n % 50 = 0 THEN 'INVALID' ELSE 'COMPLETED' END",
        **{name: ago(name) for name in ("created_at", "started_at", "ended_at", "last_updated")},
    )
    cost: dict[str, list[str]] = {"lines": [], "vat_totals": []}
    cdr = CDR.objects.create(
        session=session,
        currency="EUR",
        start_date_time=now,
        end_date_time=now,
        charging_periods=[],
        total_energy=20,
        total_time=1,
        total_parking_time=0,
        total_cost_excl_vat=Decimal("8.17"),
        total_cost_incl_vat=Decimal("9.80"),
        cost=cost,
        created_at=now,
    )
    of_session = f"{first} + n - 1"
    first_cdr = repeat(
        cdr,
        number,
        uid="'C-' || n",
        session_id=of_session,
        **{name: ago(name) for name in ("start_date_time", "end_date_time", "created_at")},
    )
    _money(platform, session, cdr, number, of_session, f"{first_cdr} + n - 1")
    _records(platform, session, charger, number, of_session)


def _money(
    platform: RoamingPlatform,
    session: ChargingSession,
    cdr: CDR,
    number: int,
    of_session: str,
    of_cdr: str,
) -> None:
    operator = session.connector.evse.charger.location.operator  # type: ignore[union-attr]
    now = session.created_at
    amounts = {"currency": "EUR", "total_gross": Decimal("9.80")}
    advice = FinancialAdviceConfirmation.objects.create(
        platform=platform,
        advice_id="A-0",
        authorization_reference="REFERENCE-0",
        session=session,
        capture_status_code=CaptureStatusCode.SUCCESS,
        raw={},
        last_updated=now,
        **amounts,
    )
    names = {"authorization_reference": "'REFERENCE-' || n"}
    times = {name: ago(name) for name in ("last_updated", "created_at")}
    # One in fifty is an open item.
    taken = "CASE WHEN n % 50 = 0 THEN 5 ELSE 9.8 END"
    repeat(advice, number, advice_id="'A-' || n", session_id=of_session, total_gross=taken, **times, **names)
    invoice = Invoice.objects.create(
        operator=operator,
        platform=platform,
        cdr=cdr,
        number="R-0",
        authorization_reference="REFERENCE-0",
        issued_at=now,
        seller={"name": operator.name, "time_zone": operator.site.time_zone},
        place=session.place,
        lines=[],
        vat_totals=[{"vat": "20", "net": "8.17", "vat_amount": "1.63", "gross": "9.80"}],
        total_net=Decimal("8.17"),
        **amounts,
    )
    repeat(invoice, number, number="'R-' || n", cdr_id=of_cdr, issued_at=ago("issued_at"), **names)
    issue = PaymentIssue.objects.create(
        kind=IssueKind.ADVICE_MISSING,
        subject="session:0",
        reason="For the benchmark.",
        operator=operator,
        platform=platform,
        session=session,
    )
    repeat(issue, max(1, number // 50), subject="'session:' || n", session_id=of_session)
    terminal = Terminal.objects.create(platform=platform, terminal_id="T-0", operator=operator)
    repeat(terminal, number // 100, terminal_id="'T-' || n")


def _records(
    platform: RoamingPlatform, session: ChargingSession, charger: Charger, number: int, of_session: str
) -> None:
    now = session.created_at
    call = OutgoingCall.objects.create(
        charger=charger,
        session=session,
        action=CallAction.START_TRANSACTION,
        state=CallState.DONE,
        result=CallResult.ACCEPTED,
        expires_at=now,
    )
    repeat(call, number, session_id=of_session, created_at=ago("created_at"))
    command = Command.objects.create(
        platform=platform,
        type=CommandType.START_SESSION,
        request={},
        response_url="https://ptp.example/",
        authorization_reference="REFERENCE-0",
        response=CommandResponseType.ACCEPTED,
        session=session,
        expires_at=now,
    )
    names = {"authorization_reference": "'REFERENCE-' || n"}
    repeat(command, number, uid="'M-' || n", session_id=of_session, received_at=ago("received_at"), **names)
    push = Push.objects.create(platform=platform, module=Module.SESSIONS, object_id="S-0", state=PushState.DONE)
    repeat(push, number, object_id="'S-' || n", created_at=ago("created_at"))
    document = Document.objects.create(
        platform=platform,
        module=Module.SESSIONS,
        object_id="S-0",
        source_id=session.pk,
        country_code="AT",
        party_id="VLT",
        body={"id": "S-0", "kwh": 20},
        last_updated=now,
    )
    repeat(document, number, object_id="'S-' || n", source_id=of_session)
    message = Message.objects.create(
        platform=platform,
        direction="OUT",
        started_at=now,
        duration_ms=30,
        method="PATCH",
        url="https://ptp.example/ocpi/2.2.1/sessions/AT/VLT/S-0",
        module="sessions",
        http_status=200,
        status_code=1000,
        is_ok=True,
        request_body='{"kwh": 20}',
        request_size=11,
        response_size=60,
    )
    repeat(message, 2 * number, object_id="'S-' || n", started_at=ago("started_at"), **names)
    frame = ChargerMessage.objects.create(
        charger=charger, at=now, direction="IN", kind="CALL", action="MeterValues", frame="[2]", size=3
    )
    repeat(frame, 2 * number, at=ago("at"))
    event = ChargerEvent.objects.create(
        charger=charger, kind=next(iter(ChargerEventKind)), name="GroundFailure", at=now
    )
    repeat(event, number // 10, at=ago("at"))
    outbox_event = OutboxEvent.objects.create(topic="session", object_id=session.pk, processed_at=now)
    repeat(outbox_event, number, object_id=of_session)


NUMBERS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s"


def ago(column: str) -> str:
    """SQL of the row's time, three minutes earlier for each copy."""
    if connection.vendor == "sqlite":
        return f"datetime(t.{column}, '-' || (n * 3) || ' minutes')"
    return f"t.{column} - interval '1 minute' * (n * 3)"


def repeat(row: Model, times: int, /, **columns: str) -> int:
    """Inserts that many copies of `row`; `columns` are SQL expressions of n (1 to `times`) and of the row `t`.

    Gives the primary key of the first; they are consecutive.
    """
    meta = row._meta
    names = [
        str(field.column)
        for field in meta.concrete_fields
        if not field.primary_key and not isinstance(field, GeneratedField)
    ]
    chosen = [columns.pop(name, f't."{name}"') for name in names]
    assert not columns, f"{meta.label} has no {', '.join(columns)}"
    listed = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{meta.db_table}" ({listed}) SELECT {", ".join(chosen)} '
            f'FROM "{meta.db_table}" t, ({NUMBERS % times}) s WHERE t."{meta.pk.column}" = {row.pk} ORDER BY n'
        )
        cursor.execute(f'SELECT max("{meta.pk.column}") FROM "{meta.db_table}"')
        newest: Any = cursor.fetchone()
    return int(newest[0]) - times + 1
