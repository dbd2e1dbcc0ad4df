"""Id tags with a partner's prefix: a start at the charger is that partner's, in both versions of OCPP."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from chargers.choices import AuthorizationStatus
from chargers.models import ChargerConnection, ChargingSession, Token
from chargers.services import authorize, sessions, transactions
from chargers.services.events import TransactionStarted
from chargers.services.transaction_events import EventKind, TransactionReported
from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services import masterdata
from roaming.choices import Module, PlatformState, PlatformType
from roaming.models import Document, Push, RoamingPlatform
from roaming.services import driver_tokens
from tests.roaming.emsp import SILENCE, UNKNOWN, FakeEmsp, make_emsp, make_token, running_emsp, show_demo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_cache")]

TAG = "NAY-0042"
ACCEPTED, INVALID = AuthorizationStatus.ACCEPTED, AuthorizationStatus.INVALID


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roaming.services.real_time.PATIENCE", 1.0)


@pytest.fixture
def demo() -> DemoData:
    demo = data.create()
    ChargerConnection.objects.update(channel_name="socket")
    EVSE.objects.update(status=EVSEStatus.AVAILABLE)
    return demo


@pytest.fixture
def emsp() -> Iterator[FakeEmsp]:
    with running_emsp() as running:
        yield running


@pytest.fixture
def charger_id(demo: DemoData) -> int:
    return demo.chargers[0].charger.pk


@pytest.fixture
def terminals(demo: DemoData, emsp: FakeEmsp) -> RoamingPlatform:
    """A PTP with a prefix that is asked nothing: it shares no tokens."""
    platform = make_emsp(emsp.url, type=PlatformType.PTP, token_prefix="NAY-")
    platform.endpoints.filter(identifier="tokens").delete()
    return show_demo(platform, demo)


def start_16(charger_id: int, tag: str = TAG) -> ChargingSession:
    event = TransactionStarted(1, tag, Decimal(0), timezone.now())
    answer = sessions.start_session(charger_id, event, authorize.permit_start(charger_id, event))
    return ChargingSession.objects.get(pk=answer.transaction_id)


def start_201(charger_id: int, tag: str = TAG) -> ChargingSession:
    event = TransactionReported(
        kind=EventKind.STARTED,
        transaction_id="T-1",
        seq_no=0,
        at=timezone.now(),
        evse_number=1,
        id_tag=tag,
        state="Charging",
    )
    transactions.begin_session(charger_id, event, transactions.ask_permit(charger_id, event))
    return ChargingSession.objects.get()


@pytest.mark.parametrize("start", [start_16, start_201])
def test_a_start_with_the_prefix_is_the_partners_and_is_told_to_it(
    charger_id: int, terminals: RoamingPlatform, emsp: FakeEmsp, start: Any
) -> None:
    session = start(charger_id)
    assert (session.peer_id, session.status, session.network) == (terminals.peer_id, "ACTIVE", "AWAY")
    assert session.tariff_version is not None
    assert session.limit == 40
    assert session.cdr_token == {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": TAG,
        "type": "AD_HOC_USER",
        "contract_id": TAG,
    }
    outbox.drain()
    told = Document.objects.get(platform=terminals, module=Module.SESSIONS)
    assert told.body["cdr_token"]["uid"] == TAG
    assert Push.objects.filter(platform=terminals, module=Module.SESSIONS).exists()
    assert emsp.requests == []


def test_case_does_not_matter_and_the_rest_of_the_tag_does_not_decide(
    charger_id: int, terminals: RoamingPlatform
) -> None:
    assert authorize.authorize(charger_id, "nay-1").status == ACCEPTED
    assert authorize.authorize(charger_id, "NAY1").status == INVALID
    assert authorize.authorize(charger_id, "XNAY-1").status == INVALID
    assert authorize.authorize(charger_id, "NAY").status == INVALID


@pytest.mark.parametrize(
    ("answer", "expected"), [("ALLOWED", ACCEPTED), ("NOT_ALLOWED", INVALID), (UNKNOWN, INVALID), (SILENCE, INVALID)]
)
def test_a_partner_that_authorises_is_asked_and_nobody_else(
    charger_id: int, demo: DemoData, emsp: FakeEmsp, answer: Any, expected: AuthorizationStatus
) -> None:
    owner = show_demo(make_emsp(emsp.url, token_prefix="NAY-"), demo)
    with running_emsp() as other:
        other.authorizations[TAG] = "ALLOWED"
        show_demo(make_emsp(other.url, party_id="SEC"), demo)
        emsp.authorizations[TAG] = answer
        assert authorize.authorize(charger_id, TAG).status == expected
        assert (emsp.asked(), other.requests) == ([TAG], [])
    if expected == ACCEPTED:
        assert start_16(charger_id).peer_id == owner.peer_id
        assert len(emsp.asked()) == 1  # what the driver was told a moment ago holds


def test_what_the_partner_told_of_a_token_counts_and_no_other_partners_token(
    charger_id: int, terminals: RoamingPlatform, demo: DemoData
) -> None:
    other = show_demo(make_emsp(party_id="SEC"), demo)
    driver_tokens.receive_listed(other, make_token(TAG, party_id="SEC", whitelist="ALWAYS"))
    driver_tokens.receive_listed(terminals, make_token(TAG, whitelist="ALWAYS", valid=False))
    assert authorize.authorize(charger_id, TAG).status == AuthorizationStatus.BLOCKED
    Token.objects.filter(peer_id=terminals.peer_id).delete()
    assert start_16(charger_id).peer_id == terminals.peer_id


@pytest.mark.parametrize("reason", ["left", "sees nothing", "no tariff", "no party"])
def test_the_prefix_of_a_partner_that_cannot_serve_is_nobodys(
    charger_id: int, terminals: RoamingPlatform, reason: str
) -> None:
    match reason:
        case "left":
            RoamingPlatform.objects.filter(pk=terminals.pk).update(state=PlatformState.INVALIDATED)
        case "sees nothing":
            Document.objects.filter(platform=terminals).delete()
        case "no tariff":
            terminals.tariffs.clear()
        case "no party":
            terminals.roles.all().delete()
    session = start_16(charger_id)
    assert (session.peer_id, session.accepted_at) == ("", None)
    assert session.calls.filter(action="STOP_TRANSACTION").exists()


def test_two_partners_cannot_have_one_prefix(terminals: RoamingPlatform) -> None:
    other = RoamingPlatform.objects.exclude(pk=terminals.pk).get()
    other.token_prefix = "nay-"
    with pytest.raises(ValidationError, match="has the prefix NAY- already") as refusal:
        masterdata.save(other)
    assert list(refusal.value.message_dict) == ["token_prefix"]
    with pytest.raises(IntegrityError):
        other.save()


def test_many_partners_without_a_prefix_are_fine(demo: DemoData) -> None:
    for number in range(2):
        masterdata.save(RoamingPlatform(name=f"P{number}", code=f"p{number}"))
    assert RoamingPlatform.objects.filter(token_prefix="").count() == 3
