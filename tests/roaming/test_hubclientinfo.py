"""What a hub tells of its parties, and that nothing goes to one that is not connected."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import CDR, ChargingSession
from config.demo import data
from infrastructure import outbox
from roaming.choices import InterfaceRole, PlatformType, PushState
from roaming.models import ClientInfo, Document, PlatformEndpoint, Pull, Push
from roaming.ocpi.types import format_datetime
from roaming.services import hub, pulls, push, rendering
from roaming.services.session_documents import freeze_cdr
from tests.chargers.factories import end, make_active, minutes
from tests.roaming.client import client_with
from tests.roaming.emsp import make_emsp, running_emsp, show_demo
from tests.roaming.factories import ProfileFactory
from tests.roaming.peer import envelope

pytestmark = pytest.mark.django_db

PATH = "2.2.1/hubclientinfo/DE/EMP"


def info(status: str = "CONNECTED", **changes: Any) -> dict[str, Any]:
    fields = {"party_id": "EMP", "country_code": "DE", "role": "EMSP", "last_updated": "2026-01-01T12:00:00Z"}
    return {**fields, "status": status, **changes}


def codes(response) -> tuple[int, int]:
    return response.status_code, response.json()["status_code"]


@pytest.fixture
def platform():
    return make_emsp(server_token="hub", type=PlatformType.HUB)


@pytest.fixture
def ocpi(platform):
    return client_with("hub")


def test_a_party_is_stored_and_returned_as_it_was_sent(ocpi):
    assert ocpi.call("GET", PATH).status_code == 404
    assert codes(ocpi.call("PUT", PATH, info(region="south"))) == (201, 1000)
    assert codes(ocpi.call("PUT", "2.2.1/hubclientinfo/de/emp", info("OFFLINE", region="south"))) == (200, 1000)
    assert ocpi.call("GET", PATH).json()["data"] == info("OFFLINE", region="south")
    assert ClientInfo.objects.get().status == "OFFLINE"


@pytest.mark.parametrize(
    "changes",
    [{"party_id": "XXX"}, {"country_code": "NL"}, {"status": "AWAY"}, {"last_updated": None}, {"role": None}],
)
def test_what_is_wrong_or_contradicts_the_address_is_2001(ocpi, changes):
    assert codes(ocpi.call("PUT", PATH, info(**changes))) == (200, 2001)
    assert not ClientInfo.objects.exists()


def test_older_news_are_no_news(ocpi):
    ocpi.call("PUT", PATH, info("OFFLINE", last_updated="2026-01-02T00:00:00Z"))
    assert codes(ocpi.call("PUT", PATH, info("CONNECTED"))) == (200, 1000)
    assert ClientInfo.objects.get().status == "OFFLINE"


def test_a_hubs_clock_that_is_ahead_does_not_hide_its_next_word(ocpi):
    ocpi.call("PUT", PATH, info("SUSPENDED", last_updated="9999-12-31T23:59:59Z"))
    now = format_datetime(timezone.now() + timedelta(seconds=1))
    assert codes(ocpi.call("PUT", PATH, info("CONNECTED", last_updated=now))) == (200, 1000)
    assert ClientInfo.objects.get().status == "CONNECTED"


OURS = {"country_code": "AT", "party_id": "VLT"}


@pytest.fixture
def our_party(platform):
    platform.profiles.set([ProfileFactory.create(**OURS)])


@pytest.mark.usefixtures("our_party")
def test_of_our_own_party_as_cpo_nothing_is_kept(ocpi):
    """Else the hub could freeze, or speak for, whom we host."""
    path = "2.2.1/hubclientinfo/at/vlt"
    assert codes(ocpi.call("PUT", path, info(role="CPO", **OURS))) == (200, 1000)
    refused = ocpi.call("PUT", path, info("SUSPENDED", role="CPO", **OURS))
    assert codes(refused) == (200, 2001)
    assert "AT-VLT is our own party" in refused.json()["status_message"]
    assert not ClientInfo.objects.exists()


@pytest.mark.usefixtures("our_party")
def test_our_drivers_behind_a_hub_are_the_hubs_to_speak_for(ocpi, platform):
    assert codes(ocpi.call("PUT", "2.2.1/hubclientinfo/AT/VLT", info("OFFLINE", **OURS))) == (201, 1000)
    assert not hub.is_reachable(platform, "AT", "VLT")


@pytest.mark.usefixtures("our_party")
def test_staff_read_that_a_hub_takes_us_for_suspended(platform, peer):
    peer.accepted = {"client-token"}
    url = f"{peer.url}/hubclientinfo"
    PlatformEndpoint.objects.create(platform=platform, identifier="hubclientinfo", role=InterfaceRole.SENDER, url=url)
    peer.answers["GET", "/hubclientinfo"] = (200, envelope([info("SUSPENDED", role="CPO", **OURS), info()]))
    pulls.start_pulls(platform.pk)
    row = Pull.objects.get(platform=platform, source="hubclientinfo")
    pulls.run(row.pk)
    row.refresh_from_db()
    assert row.last_problems == [
        "Object 1 of the list: AT-VLT is our own party, and connected, but the hub says SUSPENDED"
    ]
    assert [one.party_id for one in ClientInfo.objects.all()] == ["EMP"]


def test_the_hubs_list_is_fetched_without_routing_headers(platform, peer):
    peer.accepted = {"client-token"}
    url = f"{peer.url}/hubclientinfo"
    PlatformEndpoint.objects.create(platform=platform, identifier="hubclientinfo", role=InterfaceRole.SENDER, url=url)
    hub.receive_client(platform, "DE", "EMP", info("CONNECTED"))
    bad, away = info(party_id="BAD", status="AWAY"), info("OFFLINE", last_updated="2026-01-02T00:00:00Z")
    peer.answers["GET", "/hubclientinfo"] = (200, envelope([bad, away, info("PLANNED", party_id="NEW")]))
    pulls.start_pulls(platform.pk)
    row = Pull.objects.get(platform=platform, source="hubclientinfo")
    pulls.run(row.pk)
    row.refresh_from_db()
    assert (row.last_received, row.last_error, len(row.last_problems)) == (2, "", 1)
    assert dict(ClientInfo.objects.values_list("party_id", "status")) == {"EMP": "OFFLINE", "NEW": "PLANNED"}
    assert not hub.is_reachable(platform, "DE", "EMP")
    [request] = peer.calls("GET", "/hubclientinfo")
    assert not [name for name in request.headers if name.startswith("ocpi-")]


def test_only_hubs_are_asked_for_their_parties():
    emsp = make_emsp()
    pulls.start_pulls(emsp.pk)
    assert not Pull.objects.filter(source="hubclientinfo").exists()


def test_it_is_a_configuration_module_without_routing_headers(ocpi):
    response = ocpi.call("PUT", PATH, info(), **{"OCPI-from-party-id": "HUB", "OCPI-to-party-id": "XXX"})
    assert codes(response) == (201, 1000)
    assert not [name for name in response.headers if name.lower().startswith("ocpi-")]


@pytest.mark.parametrize("platform_type", [PlatformType.PTP, PlatformType.EMSP])
def test_only_hubs_have_the_module(platform_type):
    make_emsp(server_token="no-hub", type=platform_type)
    client = client_with("no-hub")
    assert client.call("PUT", PATH, info()).status_code == client.call("GET", PATH).status_code == 404
    assert not ClientInfo.objects.exists()
    assert "hubclientinfo" not in client.call("GET", "2.2.1").content.decode()


def test_a_hub_is_offered_the_module(ocpi):
    entry = {"identifier": "hubclientinfo", "role": "RECEIVER", "url": "http://testserver/ocpi/2.2.1/hubclientinfo"}
    assert entry in ocpi.call("GET", "2.2.1").json()["data"]["endpoints"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_there_are_no_other_methods(ocpi, method):
    assert ocpi.call(method, PATH, info()).status_code == 405


def test_each_hub_has_parties_of_its_own(ocpi):
    ocpi.call("PUT", PATH, info())
    make_emsp(server_token="second", type=PlatformType.HUB)
    second = client_with("second")
    assert second.call("GET", PATH).status_code == 404
    assert codes(second.call("PUT", PATH, info("OFFLINE"))) == (201, 1000)
    assert ocpi.call("GET", PATH).json()["data"]["status"] == "CONNECTED"


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_the_newer_one_remains(platform):
    barrier = threading.Barrier(6)
    created: list[bool] = []

    def receive(minute: int) -> None:
        body = info("OFFLINE" if minute == 5 else "CONNECTED", last_updated=f"2026-01-01T00:0{minute}:00Z")
        barrier.wait(10)
        try:
            created.append(hub.receive_client(platform, "DE", "EMP", body))
        finally:
            connection.close()

    threads = [threading.Thread(target=receive, args=[minute]) for minute in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 5 + [True]
    assert ClientInfo.objects.get().status == "OFFLINE"


# Parties that are away


@pytest.fixture
def session(platform) -> ChargingSession:
    """A session of the hub's party DE-EMP, running."""
    token = {"country_code": "DE", "party_id": "EMP", "uid": "CARD", "type": "RFID", "contract_id": "C1"}
    session = make_active(peer_id=platform.peer_id, cdr_token=token)
    session.place = rendering.cdr_location(session.connector)
    session.save(update_fields=["place"])
    return session


def queued(platform) -> list[str]:
    outbox.drain()
    return sorted(row.module for row in Push.objects.filter(platform=platform, state=PushState.PENDING))


@pytest.mark.parametrize("status", ["OFFLINE", "SUSPENDED", "PLANNED"])
def test_nothing_is_queued_for_a_party_that_is_away(ocpi, platform, session, status):
    ocpi.call("PUT", PATH, info(status))
    end(session, session.started_at + minutes(30), 5000)
    assert queued(platform) == []
    # To be pulled all the same.
    assert sorted(Document.objects.filter(platform=platform).values_list("module", flat=True)) == ["cdrs", "sessions"]


@pytest.mark.parametrize("party", ["EMP", "ANY"])
def test_who_is_connected_or_unheard_of_is_told(ocpi, platform, session, party):
    ocpi.call("PUT", f"2.2.1/hubclientinfo/DE/{party}", info(party_id=party))
    end(session, session.started_at + minutes(30), 5000)
    assert queued(platform) == ["cdrs", "sessions"]


def test_what_was_queued_before_is_not_sent_to_a_party_that_went(ocpi, platform, session):
    with running_emsp() as running:
        platform.endpoints.update(url=running.url)
        assert queued(platform) == ["sessions"]
        ocpi.call("PUT", PATH, info("OFFLINE"))
        push.deliver_next(Push.objects.get(platform=platform).platform_id)
        assert (running.requests, queued(platform)) == ([], [])


def test_when_the_party_is_back_it_is_told_what_it_missed_once(ocpi, platform, session):
    ocpi.call("PUT", PATH, info("OFFLINE"))
    end(session, session.started_at + minutes(30), 5000)
    assert queued(platform) == []
    ocpi.call("PUT", PATH, info("CONNECTED", last_updated="2026-01-02T00:00:00Z"))
    ocpi.call("PUT", PATH, info("CONNECTED", last_updated="2026-01-03T00:00:00Z"))
    assert queued(platform) == ["cdrs", "sessions"]
    cdr = Push.objects.get(module="cdrs")
    assert (cdr.give_up_at, cdr.object_id.split("/")[-1]) == (None, CDR.objects.get().uid)


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_the_party_comes_back_is_told(platform, session):
    hub.receive_client(platform, "DE", "EMP", info("OFFLINE"))
    end(session, session.started_at + minutes(30), 5000)
    Push.objects.all().delete()

    def come_back() -> None:
        try:
            hub.receive_client(platform, "DE", "EMP", info(last_updated="2026-01-02T00:00:00Z"))
        finally:
            connection.close()

    thread = threading.Thread(target=come_back)
    with transaction.atomic():
        freeze_cdr(CDR.objects.get().pk)
        thread.start()
        thread.join(0.5)  # it waits for us
    thread.join()
    assert list(Push.objects.values_list("module", flat=True)) == ["cdrs"]


def test_waiting_for_the_partys_news_locks_nothing_else(platform, session):
    """Who takes the news holds the platform and then the party: with the platform locked after it they would meet."""
    hub.receive_client(platform, "DE", "EMP", info("OFFLINE"))
    end(session, session.started_at + minutes(30), 5000)
    outbox.drain()
    document = Document.objects.get(module="cdrs")
    with CaptureQueriesContext(connection) as queries:
        assert not hub.may_queue(platform, document)
    assert len(queries) == 3
    assert not [query["sql"] for query in queries if "JOIN" in query["sql"]]


def test_what_the_party_has_is_not_sent_again(ocpi, platform, session):
    queued(platform)
    document = Document.objects.get(platform=platform, module="sessions")
    Document.objects.filter(pk=document.pk).update(acknowledged=document.body)
    Push.objects.update(state=PushState.DONE)
    for status, day in (("OFFLINE", 1), ("CONNECTED", 2)):
        ocpi.call("PUT", PATH, info(status, last_updated=f"2026-01-0{day}T00:00:00Z"))
    assert queued(platform) == []


def test_an_emsps_parties_are_no_hubs_business(ocpi, platform):
    """The status holds for messages through that hub only."""
    ocpi.call("PUT", PATH, info("OFFLINE"))
    direct = show_demo(make_emsp(), data.create())
    assert hub.is_reachable(direct, "DE", "EMP") and not hub.is_reachable(platform, "de", "emp")
