"""Id tags at the charger, with a port that says what a test wants."""

import asyncio
import threading
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.choices import AuthMethod, AuthorizationStatus
from chargers.models import ChargingSession, OutgoingCall
from chargers.ocpp import database
from chargers.ports import AuthorizedStart, Permit
from chargers.services import authorize, lifecycle, sessions
from chargers.services.events import TransactionStarted
from infrastructure.models import Connector
from tests.chargers.charger_socket import PASSWORD, ChargerSocket
from tests.chargers.factories import charger_of, end, make_connector, make_pending, make_version, start
from tests.infrastructure.factories import events

pytestmark = pytest.mark.django_db

CARD = "04A1B2C3"
ACCEPTED, INVALID = AuthorizationStatus.ACCEPTED, AuthorizationStatus.INVALID
TOKEN = {"country_code": "DE", "party_id": "EMP", "uid": CARD, "type": "RFID", "contract_id": "C-1"}


class FakePort:
    """Answers what `permit` says; `asked` are the tags and EVSEs it was asked about."""

    def __init__(self) -> None:
        self.permit: Any = Permit(INVALID)
        self.asked: list[tuple[str, int | None]] = []

    def __call__(self, charger_id: int, id_tag: str, evse_number: int | None) -> Permit:
        self.asked.append((id_tag, evse_number))
        permit = self.permit() if callable(self.permit) else self.permit
        assert isinstance(permit, Permit)
        return permit


fake_port = FakePort()


@pytest.fixture
def port(settings):
    settings.START_AUTHORIZATION = f"{__name__}.fake_port"
    fake_port.__init__()
    return fake_port


@pytest.fixture
def connector(db) -> Connector:
    return Connector.objects.select_related("evse__charger__location__operator__site").get(pk=make_connector().pk)


@pytest.fixture
def charger_id(connector) -> int:
    return connector.evse.charger_id


def allowed(connector: Connector, **changes: Any) -> Permit:
    values: dict[str, Any] = {
        "connector": connector,
        "peer_id": "emsp-1",
        "country_code": "AT",
        "party_id": "PLG",
        "authorization_reference": "AUTH-1",
        "auth_method": AuthMethod.AUTH_REQUEST,
        "cdr_token": TOKEN,
        "tariff_version": make_version(),
        "limit": None,
        "place": {"id": "LOC-1"},
    }
    return Permit(ACCEPTED, "FLEET", AuthorizedStart(**values | changes))


def begin(charger_id: int, tag: str = CARD, at: Any = None) -> sessions.StartAnswer:
    event = TransactionStarted(1, tag, Decimal(100), at or timezone.now())
    return sessions.start_session(charger_id, event, authorize.permit_start(charger_id, event))


def test_our_own_tags_are_known_without_a_question(port):
    session = make_pending()
    assert authorize.authorize(charger_of(session), session.id_tag).status == ACCEPTED
    answer = begin(charger_of(session), session.id_tag)
    assert (answer.transaction_id, answer.is_accepted) == (session.pk, True)
    assert authorize.authorize(charger_of(session), session.id_tag).status == ACCEPTED
    assert port.asked == []


def test_our_own_tag_is_refused_elsewhere_and_afterwards_without_a_question(port, charger_id):
    session = make_pending()
    assert authorize.authorize(charger_id, session.id_tag).status == INVALID
    start(session, timezone.now())
    end(session, timezone.now(), 0)
    assert authorize.authorize(charger_of(session), session.id_tag).status == INVALID
    assert port.asked == []


def test_a_permitted_start_is_a_session_of_its_partner(port, connector, charger_id):
    port.permit = allowed(connector)
    answer = begin(charger_id)
    session = ChargingSession.objects.get(pk=answer.transaction_id)
    assert (answer.tag.status, answer.tag.parent_id_tag) == (ACCEPTED, "FLEET")
    assert (session.status, session.network, session.peer_id) == ("ACTIVE", "AWAY", "emsp-1")
    assert (session.id_tag, session.parent_id_tag, session.cdr_token) == (CARD, "FLEET", TOKEN)
    assert (session.authorization_reference, session.auth_method) == ("AUTH-1", "AUTH_REQUEST")
    assert session.tariff_version is not None and session.total_cost_incl_vat == 0
    assert session.accepted_at is not None and not session.calls.exists()
    assert events() == [("session", session.pk)]
    assert port.asked == [(CARD, 1)]


def test_a_repeated_start_is_not_asked_about_again(port, connector, charger_id):
    port.permit = allowed(connector)
    at = timezone.now()
    first = begin(charger_id, at=at)
    assert begin(charger_id, at=at) == first
    assert (len(port.asked), ChargingSession.objects.count()) == (1, 1)


def test_one_reference_may_serve_two_sessions_of_cards(port, connector, charger_id):
    port.permit = allowed(connector)
    first = begin(charger_id, at=timezone.now())
    second = begin(charger_id, at=timezone.now())
    assert second.transaction_id != first.transaction_id and second.is_accepted


@pytest.mark.parametrize("status", [INVALID, AuthorizationStatus.BLOCKED, AuthorizationStatus.EXPIRED])
def test_a_refused_start_is_written_down_and_stopped(port, charger_id, status):
    port.permit = Permit(status)
    answer = begin(charger_id)
    session = ChargingSession.objects.get(pk=answer.transaction_id)
    assert (answer.tag.status, session.status, session.accepted_at) == (status, "ACTIVE", None)
    assert OutgoingCall.objects.get(session=session).action == "STOP_TRANSACTION"


def test_a_port_that_fails_refuses_and_loses_no_transaction(port, charger_id):
    port.permit = lambda: 1 / 0
    assert authorize.authorize(charger_id, CARD).status == INVALID
    answer = begin(charger_id)
    assert (answer.is_accepted, ChargingSession.objects.get().pk) == (False, answer.transaction_id)


def test_the_card_of_a_waiting_remote_start_begins_it(port):
    session = make_pending(cdr_token=TOKEN, parent_id_tag="FLEET")
    charger_id = charger_of(session)
    assert authorize.authorize(charger_id, CARD).parent_id_tag == "FLEET"
    at = timezone.now()
    first = begin(charger_id, at=at)
    assert (first.transaction_id, first.tag.parent_id_tag) == (session.pk, "FLEET")
    assert begin(charger_id, at=at) == first, "its answer may be lost"
    assert ChargingSession.objects.get().id_tag == CARD
    assert port.asked == []


def test_a_card_that_began_its_remote_start_is_asked_about_later(port):
    """Its number is no tag that we made up."""
    session = make_pending(cdr_token=TOKEN)
    begin(charger_of(session))
    end(session, timezone.now(), 0)
    authorize.authorize(charger_of(session), CARD)
    assert port.asked == [(CARD, None)]


@pytest.mark.parametrize("changes", [{"type": "APP_USER"}, {"uid": "ANOTHER"}])
def test_another_token_does_not_begin_a_remote_start(port, changes):
    session = make_pending(cdr_token=TOKEN | changes)
    assert not begin(charger_of(session)).is_accepted


# Over the socket


@pytest.mark.django_db(transaction=True)
async def test_the_charger_learns_status_and_parent(port):
    identity = await prepare()
    charger = await ChargerSocket(identity).open()
    port.permit = Permit(ACCEPTED, "FLEET")
    assert await charger.ask("Authorize", idTag="04a1b2c3") == {
        "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}
    }
    port.permit = Permit(AuthorizationStatus.EXPIRED)
    assert await charger.ask("Authorize", idTag=CARD) == {"idTagInfo": {"status": "Expired"}}
    begun = {"connectorId": 1, "idTag": CARD, "meterStart": 0, "timestamp": timezone.now().isoformat()}
    answer = await charger.ask("StartTransaction", **begun)
    assert answer["idTagInfo"] == {"status": "Expired"}
    assert port.asked == [(CARD, None), (CARD, None), (CARD, 1)]
    await charger.close()


@pytest.mark.django_db(transaction=True)
async def test_a_slow_partner_holds_up_no_other_charger(port):
    """The partner answers only after the other charger has been served."""
    slow = await ChargerSocket(await prepare()).open()
    other = await ChargerSocket(await prepare()).open()
    is_answered = threading.Event()
    port.permit = lambda: Permit(ACCEPTED if is_answered.wait(10) else INVALID)
    question = await slow.post("Authorize", idTag=CARD)
    begun = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    assert await other.ask("StatusNotification", **begun) == {}
    is_answered.set()
    assert await slow.frame() == [3, question, {"idTagInfo": {"status": "Accepted"}}]
    await slow.close()
    await other.close()


async def test_patient_work_has_threads_of_its_own():
    """On SQLite the messages of all chargers share one."""
    is_begun, is_over = threading.Event(), threading.Event()

    def wait() -> bool:
        is_begun.set()
        return is_over.wait(10)

    waiting = asyncio.create_task(database.run_patiently(wait))
    assert await asyncio.to_thread(is_begun.wait, 10)
    await database.run(is_over.set)
    assert await waiting


async def prepare() -> str:
    """Identity of a new charger that may connect."""

    def make() -> str:
        charger = make_connector(online=False).evse.charger
        lifecycle.set_password(charger, PASSWORD)
        return str(charger.identity)

    return await sync_to_async(make)()
