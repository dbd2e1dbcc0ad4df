"""What each message costs the database: a number that only grows on purpose."""

from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import ChargingSession, IdToken
from chargers.ocpp import auth
from chargers.services import authorize, calls, commands, lifecycle, progress, sessions
from chargers.services.events import Booted, TransactionEnded, TransactionStarted
from chargers.services.status import StatusChanged, record_status
from infrastructure.choices import EVSEStatus
from tests.chargers.charger_socket import PASSWORD, basic
from tests.chargers.factories import (
    CHANNEL,
    METER_START,
    charger_of,
    make_connector,
    make_pending,
    make_start,
    meter_values,
    minutes,
)

pytestmark = pytest.mark.django_db


@contextmanager
def queries(expected):
    """Without the savepoints that stand for transactions inside a test's own."""
    with CaptureQueriesContext(connection) as context:
        yield
    sql = [query["sql"] for query in context if "SAVEPOINT" not in query["sql"]]
    assert len(sql) == expected, "\n".join(sql)


def test_handshake():
    connector = make_connector()
    charger = connector.evse.charger
    lifecycle.set_password(charger, PASSWORD)
    with queries(1):
        auth.admit(charger.identity, basic(charger.identity))
    with queries(2):
        lifecycle.connected(charger.pk, "newer", "ocpp1.6")
    with queries(1):
        calls.claim_next(charger.pk, "newer")
    with queries(1):
        lifecycle.disconnected(charger.pk, "newer")


def test_boot_and_seen():
    charger_id = make_connector().evse.charger_id
    with queries(1):
        lifecycle.booted(charger_id, Booted("", "", "", ""))
    with queries(1):
        lifecycle.seen(charger_id, CHANNEL)


def test_status():
    charger_id = make_connector().evse.charger_id
    with queries(2):  # told again
        record_status(charger_id, StatusChanged(1, "Available", timezone.now()))
    with queries(1):
        record_status(charger_id, StatusChanged(1, "Preparing", timezone.now()))
    with queries(4):
        record_status(charger_id, StatusChanged(1, "Faulted", timezone.now()))


def test_authorize():
    session = make_pending()
    charger_id = charger_of(session)
    with queries(1):
        authorize.authorize(charger_id, session.id_tag)
    with queries(7):  # a card that no partner has told us of
        authorize.authorize(charger_id, "TAG")


def test_start_and_its_call():
    connector = make_connector(status=EVSEStatus.AVAILABLE)
    request = make_start(connector)
    with queries(7):
        commands.request_start(request)
    session = make_pending()
    charger_id = charger_of(session)
    with queries(2):
        calls.claim_next(charger_id, CHANNEL)
    call_id = session.calls.get().pk
    with queries(7):
        calls.finish_call(call_id, calls.CallResult.ACCEPTED, {})


def test_transaction():
    session = make_pending()
    charger_id = charger_of(session)
    ChargingSession.objects.update(created_at=timezone.now() - minutes(11))
    at = timezone.now() - minutes(10)
    started = TransactionStarted(1, session.id_tag, Decimal(METER_START), at)
    with queries(8):
        sessions.start_session(charger_id, started)
    event = meter_values(session, (at + minutes(1), 100, Decimal(6000)))
    with queries(6):
        progress.update_session(charger_id, event)
    with queries(4):
        progress.update_session(charger_id, event)
    ended = TransactionEnded(session.pk, Decimal(METER_START + 200), at + minutes(2))
    with queries(7):
        sessions.end_session(charger_id, ended)
    with queries(1):
        sessions.end_session(charger_id, ended)


def test_start_with_a_card():
    """Of our own staff: nothing waits for it."""
    connector = make_connector()
    charger = connector.evse.charger
    IdToken.objects.create(operator=charger.location.operator, id_tag="FLEET-1")
    started = TransactionStarted(1, "FLEET-1", Decimal(METER_START), timezone.now())
    with queries(3):
        permit = authorize.permit_start(charger.pk, started)
    with queries(5):
        assert sessions.start_session(charger.pk, started, permit).is_accepted
