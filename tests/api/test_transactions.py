"""Transactions, closing a stale one, reservations and messages."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import SessionStatus, StopReason
from chargers.models import CDR, ChargerConnection, ChargerMessage, OutgoingCall
from chargers.services import progress, sessions
from chargers.services.events import TransactionStarted
from infrastructure.models import EVSE
from tests.chargers.factories import charger_of, end, make_active, make_pending, make_version, meter_values, reread
from tests.chargers.test_reservations import reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(connector):
    session = make_active(connector, tariff_version=make_version(energy="0.5000"))
    progress.update_session(charger_of(session), meter_values(session, (timezone.now(), 2000, 11_000)))
    return reread(session)


def test_a_running_transaction(caller, session, charger):
    told = caller.send("get", f"transactions/{session.uid}").json()
    expected = {
        "ref": session.uid,
        "charge_point": charger.identity,
        "evse": 1,
        "transaction_id": session.transaction_id,
        "id_tag": session.id_tag,
        "is_open": True,
        "ended_at": None,
        "stop_reason": "",
        "meter_start": "12345.000",
        "meter_stop": None,
        "kwh": "2.0000",
        "cost": {"currency": "EUR", "excl_vat": "1.00", "incl_vat": "1.20"},
        "driver_price": "1.20",
    }
    assert {name: told[name] for name in expected} == expected
    assert [value["register_wh"] for value in told["meter_values"]] == ["14345.000"]
    assert told["meter_values"][0]["power_w"] == "11000.000"


def test_an_ended_transaction(caller, session):
    end(session, timezone.now(), 3000, reason="Local")
    told = caller.send("get", f"transactions/{session.uid}").json()
    assert (told["is_open"], told["stop_reason"], told["meter_stop"]) == (False, "DRIVER", "15345.000")
    assert told["cost"]["incl_vat"] == "1.80"


def test_a_session_that_has_not_begun_is_no_transaction(caller, connector):
    pending = make_pending(connector)
    assert caller.send("get", "transactions").json()["count"] == 0
    assert caller.send("get", f"transactions/{pending.uid}").status_code == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("open=true", 1),
        ("open=false", 0),
        ("charge_point={charger}", 1),
        ("charge_point=other", 0),
        ("id_tag={tag}", 1),
        ("id_tag=other", 0),
        ("transaction_id={transaction}", 1),
        ("started_after=2020-01-01T00:00:00Z", 1),
        ("started_before=2020-01-01T00:00:00Z", 0),
        ("ended_after=2020-01-01T00:00:00Z", 0),
    ],
)
def test_the_list_can_be_filtered(caller, session, charger, query, count):
    query = query.format(charger=charger.identity, tag=session.id_tag.lower(), transaction=session.transaction_id)
    assert caller.send("get", f"transactions?{query}").json()["count"] == count


@pytest.mark.parametrize(
    "query",
    [
        "started_after=yesterday",
        "started_after=0001-01-01T00:00:00%2B02:00",
        "started_after=9999-12-31T23:59:59-02:00",
        "evse=x",
        "id_tag=a%00b",
    ],
)
def test_a_wrong_filter_is_told(caller, session, query):
    assert caller.send("get", f"transactions?{query}").status_code == 400


@pytest.mark.parametrize("at", ["2020-01-01T00:00:00%2B23:59", "0001-01-02T00:00:00%2B02:00", "2020-01-01T00:00:00"])
def test_any_instant_of_any_zone_is_a_filter(caller, session, at):
    assert caller.send("get", f"transactions?started_after={at}").json()["count"] == 1


def test_a_transaction_at_an_outlet_that_is_not_configured_is_there_too(caller, charger):
    event = TransactionStarted(evse_number=9, id_tag="UNKNOWN", meter_start=Decimal(0), at=timezone.now())
    sessions.start_session(charger.pk, event)
    row = caller.send("get", "transactions").json()["results"][0]
    assert (row["charge_point"], row["evse"], row["id_tag"]) == (charger.identity, None, "UNKNOWN")
    ref = row["ref"]
    assert caller.send("post", f"transactions/{ref}/close").status_code == 200


# -- closing


def close(caller, session, **body):
    return caller.send("post", f"transactions/{session.uid}/close", body)


def test_a_stale_transaction_is_closed_with_its_last_reading_and_billed(caller, session):
    answer = close(caller, session)
    assert answer.status_code == 200
    assert (answer.json()["is_open"], answer.json()["stop_reason"]) == (False, "STAFF")
    closed = reread(session)
    assert (closed.status, closed.stop_reason) == (SessionStatus.COMPLETED, StopReason.STAFF)
    cdr = CDR.objects.get(session=session)
    assert (cdr.total_energy, cdr.total_cost_incl_vat) == (Decimal(2), Decimal("1.2"))


def test_closing_twice_bills_once(caller, session):
    assert close(caller, session).status_code == 200
    again = close(caller, session)
    assert (again.status_code, again.json()) == (409, {"detail": "This transaction is closed already."})
    assert CDR.objects.count() == 1


def test_a_late_stop_of_a_closed_transaction_changes_nothing(caller, session):
    close(caller, session)
    assert end(session, timezone.now(), 9000)
    assert CDR.objects.get().total_energy == Decimal(2)


def test_one_whose_charger_is_there_and_charges_is_closed_by_force_only(caller, session):
    EVSE.objects.update(status="CHARGING")
    refused = close(caller, session)
    assert refused.status_code == 409
    assert reread(session).status == SessionStatus.ACTIVE
    assert close(caller, session, force=True).status_code == 200


def test_one_whose_charger_is_gone_is_closed_whatever_it_said_last(caller, session):
    EVSE.objects.update(status="CHARGING")
    ChargerConnection.objects.update(channel_name="")
    assert close(caller, session).status_code == 200


# -- reservations and messages


def test_reservations_and_their_status(caller, connector):
    reservation = reserve(connector)
    charger = connector.evse.charger
    told = caller.send("get", f"reservations/{reservation.pk}").json()
    assert (told["id"], told["charge_point"], told["state"]) == (reservation.pk, charger.identity, reservation.state)
    assert caller.send("get", f"reservations?state={reservation.state}").json()["count"] == 1
    assert caller.send("get", "reservations?state=USED").json()["count"] == 0
    assert caller.send("get", "reservations?state=NONSENSE").status_code == 400


def test_the_message_log_of_a_charger(caller, charger):
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for number, action in enumerate(["Heartbeat", "StatusNotification"]):
        ChargerMessage.objects.create(
            charger=charger,
            at=at + timedelta(seconds=number),
            direction="IN",
            kind="CALL",
            action=action,
            unique_id=str(number),
            frame="[]",
            size=2,
        )
    page = caller.send("get", f"messages?charge_point={charger.identity}").json()
    assert [row["action"] for row in page["results"]] == ["StatusNotification", "Heartbeat"]
    assert len(caller.send("get", "messages?action=heartbeat").json()["results"]) == 1
    assert len(caller.send("get", "messages?after=2026-06-01T00:00:01Z").json()["results"]) == 1
    assert len(caller.send("get", "messages?direction=OUT").json()["results"]) == 0


@pytest.mark.parametrize("position", ["p=x", "p=", f"p={'9' * 5000}", "o=x", "o=9&p=1.5", "r=1&p=x"])
def test_a_cursor_that_was_made_up_is_404(caller, position):
    cursor = b64encode(position.encode()).decode()
    assert caller.send("get", f"messages?cursor={cursor}").status_code == 404


@pytest.mark.parametrize("position", [f"p={'9' * 30}", f"p=-{'9' * 30}", f"r=1&p={'9' * 30}"])
def test_a_cursor_beyond_all_rows_is_a_page(caller, charger, position):
    cursor = b64encode(position.encode()).decode()
    assert caller.send("get", f"messages?cursor={cursor}").status_code == 200


def test_calls_of_sessions_are_listed_in_neutral_words(caller, session):
    call = OutgoingCall.objects.filter(session=session).first()
    told = caller.send("get", f"calls/{call.pk}").json()
    assert (told["action"], told["transaction"]) == ("START_TRANSACTION", session.uid)
