"""Cards at the charger: the whitelist rules, the question to eMSPs, and whose session it becomes."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import AuthorizationStatus
from chargers.models import CDR, ChargerConnection, ChargingSession, Token
from chargers.services import authorize, sessions
from chargers.services.events import TransactionEnded, TransactionStarted
from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from roaming.choices import PlatformState, PlatformType
from roaming.models import ClientInfo, Command, Push, RoamingPlatform
from roaming.services import driver_tokens, push, real_time, recent_answers
from roaming.services.commands import receive_start_session
from tests.roaming.emsp import SILENCE, UNKNOWN, FakeEmsp, make_emsp, make_token, running_emsp, show_demo
from tests.roaming.factories import make_role
from tests.roaming.peer import envelope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_cache")]

CARD = "04A1B2C3D4"
BROKEN = (500, envelope(None, 3000))
ACCEPTED, BLOCKED = AuthorizationStatus.ACCEPTED, AuthorizationStatus.BLOCKED
EXPIRED, INVALID = AuthorizationStatus.EXPIRED, AuthorizationStatus.INVALID


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_time, "PATIENCE", 1.0)


@pytest.fixture
def demo() -> DemoData:
    demo = data.create()
    ChargerConnection.objects.update(channel_name="socket")
    EVSE.objects.update(status=EVSEStatus.AVAILABLE)
    return demo


@pytest.fixture
def charger_id(demo: DemoData) -> int:
    """With two outlets."""
    return demo.chargers[0].charger.pk


@pytest.fixture
def emsp() -> Iterator[FakeEmsp]:
    with running_emsp() as running:
        yield running


@pytest.fixture
def platform(demo: DemoData, emsp: FakeEmsp) -> RoamingPlatform:
    return show_demo(make_emsp(emsp.url), demo)


def store(platform: RoamingPlatform, uid: str = CARD, **changes: Any) -> None:
    driver_tokens.receive_listed(platform, make_token(uid, **changes))


def swipe(charger_id: int, card: str = CARD) -> AuthorizationStatus:
    return authorize.authorize(charger_id, card.upper()).status


def start(charger_id: int, card: str = CARD, *, evse: int = 1, register: int = 0) -> ChargingSession:
    """The driver begins to charge without another word; gives the session that it became."""
    event = TransactionStarted(evse, card.upper(), Decimal(register), timezone.now())
    answer = sessions.start_session(charger_id, event, authorize.permit_start(charger_id, event))
    return ChargingSession.objects.get(pk=answer.transaction_id)


@pytest.mark.parametrize("whitelist", ["ALWAYS", "ALLOWED"])
@pytest.mark.parametrize(("valid", "expected"), [(True, ACCEPTED), (False, BLOCKED)])
def test_some_tokens_are_judged_without_a_question(charger_id, platform, emsp, whitelist, valid, expected):
    store(platform, whitelist=whitelist, valid=valid)
    emsp.authorizations[CARD] = "EXPIRED"
    assert (swipe(charger_id), start(charger_id).status) == (expected, "ACTIVE")
    assert emsp.requests == []


@pytest.mark.parametrize(
    ("whitelist", "answer", "expected"),
    [
        ("NEVER", "ALLOWED", ACCEPTED),
        ("NEVER", "BLOCKED", BLOCKED),
        ("NEVER", "EXPIRED", EXPIRED),
        ("NEVER", "NO_CREDIT", BLOCKED),
        ("NEVER", "NOT_ALLOWED", INVALID),
        ("NEVER", UNKNOWN, INVALID),
        ("NEVER", BROKEN, INVALID),
        ("NEVER", SILENCE, INVALID),
        ("ALLOWED_OFFLINE", "ALLOWED", ACCEPTED),
        ("ALLOWED_OFFLINE", "BLOCKED", BLOCKED),
        ("ALLOWED_OFFLINE", UNKNOWN, INVALID),
        ("ALLOWED_OFFLINE", (200, envelope(None, 2002, "Where?")), INVALID),
        ("ALLOWED_OFFLINE", BROKEN, ACCEPTED),
        ("ALLOWED_OFFLINE", SILENCE, ACCEPTED),
        ("ALLOWED_OFFLINE", (200, b"<html>"), ACCEPTED),
        ("ALLOWED_OFFLINE", (404, b"no such page"), ACCEPTED),
        ("ALLOWED_OFFLINE", {"allowed": "PERHAPS"}, ACCEPTED),
        ("ALLOWED_OFFLINE", {"allowed": "ALLOWED"}, ACCEPTED),
    ],
)
def test_others_need_one_question(charger_id, platform, emsp, whitelist, answer, expected):
    store(platform, whitelist=whitelist)
    emsp.authorizations[CARD] = answer
    assert swipe(charger_id) == expected
    assert emsp.asked() == [CARD]


@pytest.mark.parametrize(
    ("whitelist", "answer", "expected"),
    [("NEVER", "ALLOWED", ACCEPTED), ("ALLOWED_OFFLINE", "ALLOWED", ACCEPTED), ("ALLOWED_OFFLINE", BROKEN, BLOCKED)],
)
def test_a_stored_invalidity_does_not_replace_the_question(charger_id, platform, emsp, whitelist, answer, expected):
    store(platform, whitelist=whitelist, valid=False)
    emsp.authorizations[CARD] = answer
    assert swipe(charger_id) == expected
    assert emsp.asked() == [CARD]


def test_a_partner_without_an_address_for_it_counts_as_out_of_reach(charger_id, platform):
    platform.endpoints.filter(identifier="tokens").delete()
    store(platform, whitelist="NEVER")
    store(platform, "OFFLINE1", whitelist="ALLOWED_OFFLINE")
    assert (swipe(charger_id), swipe(charger_id, "OFFLINE1")) == (INVALID, ACCEPTED)


def test_the_question_names_the_card_and_the_place(charger_id, platform, emsp):
    store(platform, "04a1b2c3d4", whitelist="NEVER")
    emsp.authorizations["04a1b2c3d4"] = "ALLOWED"
    swipe(charger_id)
    (question,) = emsp.requests
    assert question.path == "/tokens/04a1b2c3d4/authorize"
    assert question.body == {"location_id": "VIE-CITY", "evse_uids": ["DEMO-AC-1-1", "DEMO-AC-1-2"]}
    assert question.tokens[0] == "client-token"
    routing = ("from-country-code", "from-party-id", "to-country-code", "to-party-id")
    assert [question.headers[f"ocpi-{name}"] for name in routing] == ["AT", "VLT", "DE", "EMP"]
    start(charger_id, "NO SUCH CARD", evse=2)
    assert emsp.requests[1].path == "/tokens/NO%20SUCH%20CARD/authorize"
    assert emsp.requests[1].body["evse_uids"] == ["DEMO-AC-1-2"]


def test_another_type_than_rfid_is_named(charger_id, platform, emsp):
    store(platform, type="OTHER", whitelist="NEVER")
    swipe(charger_id)
    assert emsp.requests[0].path == f"/tokens/{CARD}/authorize?type=OTHER"


def test_app_and_ad_hoc_tokens_are_no_cards(charger_id, platform, emsp):
    store(platform, type="APP_USER", whitelist="ALWAYS")
    assert swipe(charger_id) == INVALID


def test_the_start_after_the_question_does_not_ask_again(charger_id, platform, emsp):
    store(platform, whitelist="NEVER")
    emsp.authorizations[CARD] = "ALLOWED"
    swipe(charger_id)
    session = start(charger_id)
    assert emsp.asked() == [CARD]
    assert (session.auth_method, session.authorization_reference) == ("AUTH_REQUEST", f"AUTH-{CARD}")


def test_an_answer_is_good_for_one_start(charger_id, platform, emsp):
    store(platform, whitelist="NEVER")
    emsp.authorizations[CARD] = "ALLOWED"
    swipe(charger_id)
    start(charger_id)
    second = start(charger_id, evse=2)
    assert emsp.asked() == [CARD, CARD]
    # A partner may give the same reference twice: it counts for both sessions.
    assert second.authorization_reference == f"AUTH-{CARD}"


def test_a_new_swipe_is_a_new_question_and_voids_the_last_answer(charger_id, platform, emsp):
    store(platform, whitelist="NEVER")
    emsp.authorizations[CARD] = "ALLOWED"
    swipe(charger_id)
    emsp.authorizations[CARD] = "BLOCKED"
    assert swipe(charger_id) == BLOCKED
    assert start(charger_id).peer_id == ""


def test_a_cache_that_fails_costs_a_question_and_no_driver(charger_id, platform, emsp, monkeypatch):
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError("gone")

    monkeypatch.setattr(recent_answers, "cache", Broken())
    emsp.authorizations[CARD] = "ALLOWED"
    assert (swipe(charger_id), start(charger_id).peer_id) == (ACCEPTED, platform.peer_id)
    assert emsp.asked() == [CARD, CARD]


def test_the_session_is_the_partners(charger_id, platform, emsp):
    store(platform, whitelist="ALWAYS")
    session = start(charger_id)
    assert (session.peer_id, session.network, session.status) == (platform.peer_id, "AWAY", "ACTIVE")
    assert (session.country_code, session.party_id, session.auth_method) == ("AT", "VLT", "WHITELIST")
    assert session.cdr_token == {
        "country_code": "DE",
        "party_id": "EMP",
        "uid": CARD,
        "type": "RFID",
        "contract_id": "DE-EMP-C00000001-X",
    }
    assert session.tariff_version.tariff.code == "ADHOC-AC"
    assert (session.limit, session.currency, session.place["evse_uid"]) == (None, "EUR", "DEMO-AC-1-1")
    assert session.accepted_at is not None and session.authorization_reference == ""


def test_the_partner_gets_the_session_and_its_cdr(charger_id, platform, emsp):
    emsp.authorizations[CARD] = "ALLOWED"
    session = start(charger_id, register=1000)
    end = TransactionEnded(session.pk, Decimal(6000), timezone.now() + timedelta(hours=1), "Local")
    sessions.end_session(charger_id, end)
    outbox.drain()
    deliver_all(platform, "sessions", "cdrs")
    sent = {call.path.split("/")[1]: call.body for call in emsp.requests if "authorize" not in call.path}
    assert sent["sessions"]["status"] == "COMPLETED"
    assert sent["cdrs"]["session_id"] == session.uid
    assert sent["cdrs"]["authorization_reference"] == f"AUTH-{CARD}"
    assert sent["cdrs"]["auth_method"] == "AUTH_REQUEST"
    assert sent["cdrs"]["cdr_token"]["uid"] == CARD
    assert CDR.objects.get().total_cost_incl_vat > 0


# Unknown cards


@pytest.fixture
def second(demo: DemoData) -> Iterator[tuple[FakeEmsp, RoamingPlatform]]:
    """Another eMSP that sees the same places."""
    with running_emsp() as running:
        yield running, show_demo(make_emsp(running.url, "SEC"), demo)


def answer_of(party_id: str, **changes: Any) -> dict[str, Any]:
    return {"allowed": "ALLOWED", "token": make_token(party_id=party_id)} | changes


def test_of_an_unknown_card_all_partners_are_asked(charger_id, platform, emsp, second):
    other, other_platform = second
    other.authorizations[CARD] = answer_of("SEC", authorization_reference="SECOND")
    session = start(charger_id)
    assert (emsp.asked(), other.asked()) == ([CARD], [CARD])
    assert (session.peer_id, session.authorization_reference) == (other_platform.peer_id, "SECOND")
    assert not Token.objects.exists()


def test_a_card_that_nobody_knows_is_refused_without_a_second_question(charger_id, platform, emsp):
    assert swipe(charger_id) == INVALID
    assert emsp.asked() == [CARD]


def test_a_partners_refusal_says_more_than_anothers_ignorance(charger_id, platform, emsp, second):
    second[0].authorizations[CARD] = answer_of("SEC", allowed="EXPIRED")
    assert swipe(charger_id) == EXPIRED


def test_a_silent_partner_does_not_keep_the_others_drivers_waiting(charger_id, platform, emsp, second):
    emsp.authorizations[CARD] = SILENCE
    second[0].authorizations[CARD] = answer_of("SEC")
    assert swipe(charger_id) == ACCEPTED


def test_a_partner_that_was_silent_is_left_out_for_a_while(charger_id, platform, emsp, monkeypatch):
    emsp.authorizations[CARD] = SILENCE
    monkeypatch.setattr(real_time, "PATIENCE", 0.2)
    swipe(charger_id)
    swipe(charger_id, "ANOTHER")
    assert emsp.asked() == [CARD]
    store(platform, "KNOWN", whitelist="NEVER")
    emsp.authorizations["KNOWN"] = "ALLOWED"
    monkeypatch.setattr(real_time, "PATIENCE", 5.0)
    # A known card is worth the wait, and an answer ends the leaving out.
    assert swipe(charger_id, "KNOWN") == ACCEPTED
    swipe(charger_id, "ANOTHER")
    assert emsp.asked() == [CARD, "KNOWN", "ANOTHER"]


@pytest.mark.parametrize(
    "answer",
    [
        {"allowed": "ALLOWED"},
        answer_of("XXX"),
        {"allowed": "ALLOWED", "token": make_token("ANOTHER")},
        {"allowed": "ALLOWED", "token": make_token(contract_id=None)},
        {"allowed": ["ALLOWED"]},
        (200, envelope(["ALLOWED"])),
        (200, b""),
        (200, b"<html>"),
        (302, b""),
    ],
)
def test_an_answer_that_makes_no_sense_lets_nobody_charge(charger_id, platform, emsp, answer):
    emsp.authorizations[CARD] = answer
    assert swipe(charger_id) == INVALID


def test_a_reference_that_is_none_is_left_out(charger_id, platform, emsp):
    emsp.authorizations[CARD] = answer_of("EMP", authorization_reference="x" * 37)
    assert start(charger_id).authorization_reference == ""


def test_a_tag_that_fits_no_address_is_refused(charger_id, platform, emsp):
    assert swipe(charger_id, "..") == INVALID
    assert emsp.requests == []


def test_the_partner_may_allow_some_of_the_outlets(charger_id, platform, emsp):
    emsp.authorizations[CARD] = answer_of("EMP", location={"location_id": "VIE-CITY", "evse_uids": ["demo-ac-1-2"]})
    assert swipe(charger_id) == ACCEPTED
    assert start(charger_id, evse=1).peer_id == ""
    assert start(charger_id, evse=2).peer_id == platform.peer_id


# Whose card charges where


def test_a_card_does_not_charge_where_its_partner_sees_nothing(charger_id, demo, emsp):
    stranger = make_emsp(emsp.url)
    store(stranger, whitelist="ALWAYS")
    emsp.authorizations[CARD] = "ALLOWED"
    assert (swipe(charger_id), start(charger_id).peer_id) == (INVALID, "")
    assert emsp.requests == []


def test_the_cards_of_a_partner_that_left_do_not_charge(charger_id, platform, emsp):
    store(platform, whitelist="ALWAYS")
    RoamingPlatform.objects.filter(pk=platform.pk).update(state=PlatformState.INVALIDATED)
    assert (swipe(charger_id), emsp.requests) == (INVALID, [])


def test_a_terminal_providers_drivers_pay_at_the_terminal(charger_id, demo, emsp):
    terminals = show_demo(make_emsp(emsp.url, type=PlatformType.PTP), demo)
    store(terminals, whitelist="ALWAYS")
    command(terminals)
    ChargingSession.objects.update(status="INVALID")
    assert (swipe(charger_id), start(charger_id).peer_id) == (INVALID, "")
    assert emsp.requests == []


def test_of_two_partners_with_one_uid_the_one_that_allows_it_counts(charger_id, platform, second):
    store(platform, valid=False, last_updated="2026-05-01T00:00:00Z")
    store(second[1], party_id="SEC", whitelist="ALWAYS")
    assert start(charger_id).peer_id == second[1].peer_id


# Groups


def parent_of(charger_id: int, card: str) -> str:
    return authorize.authorize(charger_id, card).parent_id_tag


def test_cards_of_a_group_have_one_parent(charger_id, platform):
    store(platform, "CARD-A", group_id="FLEET-7")
    store(platform, "CARD-B", group_id="FLEET-7")
    store(platform, "CARD-C")
    assert [parent_of(charger_id, card) for card in ("CARD-A", "CARD-B", "CARD-C")] == ["FLEET-7", "FLEET-7", ""]
    session = start(charger_id, "CARD-A")
    assert session.parent_id_tag == parent_of(charger_id, "CARD-A") == "FLEET-7"


def test_a_long_group_id_has_a_parent_that_fits_ocpp(charger_id, platform):
    store(platform, "CARD-A", group_id="a-group-id-of-36-characters-1")
    store(platform, "CARD-B", group_id="A-group-id-of-36-characters-1")
    store(platform, "CARD-C", group_id="a-group-id-of-36-characters-2")
    parents = [parent_of(charger_id, card) for card in ("CARD-A", "CARD-B", "CARD-C")]
    assert parents[0] == parents[1] != parents[2]
    assert all(len(parent) == 20 for parent in parents)


# START_SESSION for a card


def command(platform: RoamingPlatform, **changes: Any) -> ChargingSession:
    body = {
        "response_url": "http://127.0.0.1:9/result",
        "token": make_token(whitelist="NEVER"),
        "location_id": "VIE-CITY",
        "evse_uid": "DEMO-AC-1-1",
        "connector_id": "1",
        "authorization_reference": "COMMAND-1",
    }
    receive_start_session(platform, body | changes)
    return ChargingSession.objects.get()


def test_the_card_of_a_waiting_remote_start_begins_it_unasked(charger_id, platform, emsp):
    waiting = command(platform)
    assert swipe(charger_id) == ACCEPTED
    session = start(charger_id)
    assert (session.pk, session.status, session.auth_method) == (waiting.pk, "ACTIVE", "COMMAND")
    assert emsp.requests == []


def test_who_started_by_app_may_stop_with_the_card(charger_id, platform, emsp):
    session = start(charger_id, command(platform).id_tag)
    assert (session.status, session.parent_id_tag) == ("ACTIVE", CARD)
    assert parent_of(charger_id, CARD) == CARD
    assert emsp.requests == []


def test_after_a_remote_start_its_card_is_not_asked_about_for_a_quarter_of_an_hour(charger_id, platform, emsp):
    command(platform)
    ChargingSession.objects.update(status="INVALID")
    store(platform, whitelist="NEVER")
    assert swipe(charger_id) == ACCEPTED
    session = start(charger_id)
    assert (session.peer_id, session.authorization_reference) == (platform.peer_id, "COMMAND-1")
    assert emsp.requests == []
    start(charger_id, evse=2)
    assert emsp.asked() == [CARD], "another EVSE"
    Command.objects.update(received_at=timezone.now() - timedelta(minutes=15, seconds=1))
    swipe(charger_id, "X")
    start(charger_id, register=7)
    assert emsp.asked()[-1] == CARD


def test_another_card_is_asked_about_after_a_remote_start(charger_id, platform, emsp):
    command(platform)
    swipe(charger_id, "ANOTHER")
    assert emsp.asked() == ["ANOTHER"]


# Partners with several parties


def deliver_all(platform: RoamingPlatform, *modules: str) -> None:
    Push.objects.filter(platform=platform).exclude(module__in=modules).delete()
    while push.deliver_next(platform.pk):
        pass


def addressees(emsp: FakeEmsp) -> list[tuple[str, str]]:
    return [(one.headers["ocpi-to-country-code"], one.headers["ocpi-to-party-id"]) for one in emsp.requests]


def test_of_a_partner_with_two_parties_the_one_of_the_token_is_asked(charger_id, platform, emsp):
    make_role(platform, "TWO", "FR")
    for uid, owner in (("FIRST", ("DE", "EMP")), ("SECOND", ("FR", "TWO"))):
        store(platform, uid, whitelist="NEVER", country_code=owner[0], party_id=owner[1])
        swipe(charger_id, uid)
    assert addressees(emsp) == [("DE", "EMP"), ("FR", "TWO")]


def test_a_party_that_the_partner_is_no_more_is_not_addressed(charger_id, platform, emsp):
    role = make_role(platform, "TWO", "FR")
    store(platform, whitelist="NEVER", country_code="FR", party_id="TWO")
    role.delete()
    swipe(charger_id)
    assert addressees(emsp) == [("DE", "EMP")]


@pytest.mark.parametrize("kind", [PlatformType.EMSP, PlatformType.HUB])
def test_what_comes_of_a_start_is_for_the_party_of_its_token(charger_id, platform, emsp, kind):
    RoamingPlatform.objects.filter(pk=platform.pk).update(type=kind)
    platform.refresh_from_db()
    if kind == PlatformType.EMSP:
        make_role(platform, "TWO", "FR")
    waiting = command(platform, token=make_token(whitelist="NEVER", country_code="FR", party_id="TWO"))
    session = start(charger_id, waiting.id_tag)
    end = TransactionEnded(session.pk, Decimal(6000), timezone.now() + timedelta(hours=1), "Local")
    sessions.end_session(charger_id, end)
    outbox.drain()
    deliver_all(platform, "sessions", "cdrs")
    assert {one.path.split("/")[1] for one in emsp.requests} == {"sessions", "cdrs"}
    assert set(addressees(emsp)) == {("FR", "TWO")}
    assert {one.headers["ocpi-from-party-id"] for one in emsp.requests} == {"VLT"}


# Hubs


def test_a_hub_finds_the_party_of_an_unknown_card_itself(charger_id, demo, emsp):
    hub = show_demo(make_emsp(emsp.url, type=PlatformType.HUB), demo)
    swipe(charger_id)
    store(hub, "KNOWN", whitelist="NEVER")
    swipe(charger_id, "KNOWN")
    fields = {"country_code": "FR", "party_id": "TWO", "role": "EMSP", "body": {}, "last_updated": timezone.now()}
    ClientInfo.objects.create(platform=hub, status="CONNECTED", **fields)
    store(hub, "ANOTHERS", whitelist="NEVER", country_code="FR", party_id="TWO")
    swipe(charger_id, "ANOTHERS")
    unknown, *known = emsp.requests
    assert "ocpi-to-party-id" not in unknown.headers
    to = [(one.headers["ocpi-to-country-code"], one.headers["ocpi-to-party-id"]) for one in known]
    assert to == [("DE", "EMP"), ("FR", "TWO")]


def test_a_party_that_is_not_connected_to_its_hub_is_not_asked(charger_id, demo, emsp):
    hub = show_demo(make_emsp(emsp.url, type=PlatformType.HUB), demo)
    fields = {"country_code": "DE", "party_id": "EMP", "role": "EMSP", "body": {}, "last_updated": timezone.now()}
    ClientInfo.objects.create(platform=hub, status="OFFLINE", **fields)
    store(hub, whitelist="NEVER")
    store(hub, "OFFLINE1", whitelist="ALLOWED_OFFLINE")
    assert (swipe(charger_id), swipe(charger_id, "OFFLINE1")) == (INVALID, ACCEPTED)
    assert emsp.requests == []
