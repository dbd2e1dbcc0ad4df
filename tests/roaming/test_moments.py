"""Partners that only pull miss nothing, however long a change was being rendered (PostgreSQL: two connections)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from chargers.models import ChargingSession
from config.demo import data
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Location
from roaming.choices import Module, PlatformState, PushState
from roaming.models import Document, Push, RoamingPlatform
from roaming.ocpi.types import format_datetime
from roaming.services import documents, moments, push, push_outcomes, rendering, session_documents, statuses
from roaming.services.tokens import hash_token
from tests.payments.factories import make_cdr, make_session
from tests.roaming.client import OcpiTestClient, client_with
from tests.roaming.factories import DocumentFactory

Json = dict[str, Any]
LONG_AGO = "2020-01-01T00:00:00Z"


OUTLET = {
    "coordinates": {"latitude": "48.20820", "longitude": "16.37380"},
    "connector_id": "1",
    "connector_standard": "IEC_62196_T2",
    "connector_format": "SOCKET",
    "connector_power_type": "AC_3_PHASE",
}
PERIOD = {"start_date_time": "2024-03-01T09:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 20}]}


class World(NamedTuple):
    """A partner with two areas, and a session that it started."""

    platform: RoamingPlatform
    session: ChargingSession


@pytest.fixture
def world(transactional_db: None) -> World:
    platform = data.create().platform
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED, server_token_hash=hash_token("our-partner"))
    evse = EVSE.objects.get(charger__identity="DEMO-AC-1", number=1)
    session = make_session(platform, evse, "REF")
    session.place |= OUTLET
    session.save()
    with transaction.atomic():
        documents.refresh_platform(platform.pk)
    # The test has them rendered for the first time.
    Document.objects.filter(module=Module.TARIFFS).delete()
    return World(RoamingPlatform.objects.get(), session)


@pytest.fixture
def two_connections(transactional_db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Two transactions at once need PostgreSQL; SQLite has one writer.")


def pulled(ocpi: OcpiTestClient, module: str, date_from: str = LONG_AGO) -> list[Json]:
    answer = ocpi.call("GET", f"2.2.1/{module}?date_from={date_from}")
    assert answer.json()["status_code"] == 1000, answer.content
    found: list[Json] = answer.json()["data"]
    return found


@contextmanager
def elsewhere(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """In a thread with a connection of its own; joined at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    assert not failures, failures


@pytest.mark.parametrize("module", [Module.LOCATIONS, Module.TARIFFS, Module.SESSIONS, Module.CDRS])
@pytest.mark.usefixtures("two_connections")
def test_a_pull_that_begins_during_a_change_sees_it(
    ocpi: OcpiTestClient, platform: RoamingPlatform, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its time would be later than the change's, and the next pull would ask for what came after both."""
    waits, found = threading.Event(), list[Json]()
    monkeypatch.setattr(moments.time, "sleep", lambda _: waits.set())
    with transaction.atomic():
        moment = moments.begin_change(module)
        DocumentFactory(platform=platform, module=module, last_updated=moment, body={"id": "new"})
        reader = elsewhere(lambda: found.extend(pulled(ocpi, module)))
        reader.__enter__()
        assert waits.wait(30)
        assert not found
    reader.__exit__(None, None, None)
    assert found == [{"id": "new"}]


@pytest.mark.usefixtures("two_connections")
def test_pulls_of_other_modules_and_later_pages_do_not_wait(ocpi: OcpiTestClient, platform: RoamingPlatform) -> None:
    DocumentFactory(platform=platform, module=Module.TARIFFS)
    with transaction.atomic():
        moments.begin_change(Module.LOCATIONS)
        with elsewhere(lambda: pulled(ocpi, Module.TARIFFS)):
            pass
        with elsewhere(lambda: ocpi.call("GET", "2.2.1/locations?offset=1")):
            pass


@pytest.mark.usefixtures("two_connections")
def test_times_are_in_the_order_of_commits(platform: RoamingPlatform) -> None:
    """Else who asks for what is newer than the newest that it saw would miss what was committed after that."""
    taken: list[tuple[str, datetime]] = []

    def second() -> None:
        with transaction.atomic():
            taken.append(("second", moments.begin_change(Module.LOCATIONS)))

    with transaction.atomic():
        first = moments.begin_change(Module.LOCATIONS)
        later = elsewhere(second)
        later.__enter__()
        _wait_until_blocked()
        committed_after = timezone.now()
    later.__exit__(None, None, None)
    assert first < committed_after < taken[0][1]


@pytest.mark.usefixtures("two_connections")
def test_who_writes_for_too_long_is_not_waited_for(
    ocpi: OcpiTestClient, platform: RoamingPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "PATIENCE_S", 0.0)
    answers: list[Any] = []
    with transaction.atomic():
        moments.begin_change(Module.LOCATIONS)
        with elsewhere(lambda: answers.append(ocpi.call("GET", "2.2.1/locations"))):
            pass
    assert (answers[0].status_code, answers[0].json()["status_code"]) == (503, 3000)


def rename_areas(world: World) -> None:
    Location.objects.update(name="Renamed")
    documents.refresh_locations(list(Location.objects.values_list("pk", flat=True)))


def set_status(world: World) -> None:
    EVSE.objects.update(status=EVSEStatus.CHARGING)
    statuses.tell_statuses(list(EVSE.objects.values_list("pk", flat=True)))


def freeze(world: World) -> None:
    session_documents.freeze_cdr(make_cdr(world.session, charging_periods=[PERIOD]).pk)


# What is changed, how, and what is being done while a partner pulls.
CHANGES: list[tuple[Module, Callable[[World], None], object, str]] = [
    (Module.LOCATIONS, rename_areas, documents, "renewed"),
    (Module.LOCATIONS, set_status, statuses, "format_datetime"),
    (Module.TARIFFS, lambda world: documents.refresh_platform(world.platform.pk), documents, "ocpi_tariff"),
    (Module.SESSIONS, lambda world: session_documents.refresh_session(world.session.pk), documents, "renewed"),
    (Module.CDRS, freeze, rendering, "cdr"),
]


@pytest.mark.parametrize(("module", "change", "owner", "name"), CHANGES)
@pytest.mark.usefixtures("two_connections")
def test_who_pulled_while_it_was_rendered_gets_it_with_the_next_pull(
    module: Module,
    change: Callable[[World], None],
    owner: object,
    name: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first pull ends before the commit, or waits for it and has the change."""
    ocpi = client_with("our-partner")
    pulls: list[tuple[datetime, list[Json]]] = []
    waiting = threading.Event()
    sleep = time.sleep
    monkeypatch.setattr(moments.time, "sleep", lambda seconds: (waiting.set(), sleep(seconds)))
    real = getattr(owner, name)
    readers = []

    def pull() -> None:
        began = timezone.now()
        pulls.append((began, pulled(ocpi, module)))
        waiting.set()

    def rendered(*args: Any, **values: Any) -> Any:
        result = real(*args, **values)
        if not readers:
            readers.append(elsewhere(pull))
            readers[0].__enter__()
            assert waiting.wait(30)
        return result

    before = {one["id"]: one for one in pulled(ocpi, module)}
    monkeypatch.setattr(owner, name, rendered)
    with transaction.atomic():
        change(world)
    readers[0].__exit__(None, None, None)
    news = {one["id"]: one for one in pulled(ocpi, module) if before.get(one["id"]) != one}
    ((began, found),) = pulls
    second = pulled(ocpi, module, format_datetime(began + timedelta(milliseconds=1)))
    assert news
    assert {one["id"]: one for one in (*found, *second) if one in news.values()} == news
    for one in news.values():
        parts = [one, *one.get("evses", ())]
        assert all(part["last_updated"] <= one["last_updated"] for part in parts)
    for document in Document.objects.filter(module=module):
        assert document.body["last_updated"] == format_datetime(document.last_updated)


def _wait_until_blocked() -> None:
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            (waiting,) = cursor.fetchone()
        if waiting:
            return


@pytest.mark.usefixtures("two_connections")
def test_what_was_given_up_is_queued_in_turn_with_changes(platform: RoamingPlatform) -> None:
    """Two that queue the same objects crosswise would wait for each other, until the database stops one of them."""
    first, second = (DocumentFactory(platform=platform, module=Module.LOCATIONS).path for _ in range(2))
    with transaction.atomic():
        for path in (second, first):
            push.enqueue_state(platform, Module.LOCATIONS, path)
    Push.objects.update(state=PushState.DROPPED)
    with transaction.atomic():
        moments.begin_change(Module.LOCATIONS)
        push.enqueue_state(platform, Module.LOCATIONS, first)
        worker = elsewhere(lambda: push_outcomes.platform_answered(platform))
        worker.__enter__()
        until_somebody_waits()
        push.enqueue_state(platform, Module.LOCATIONS, second)
    worker.__exit__(None, None, None)
    assert Push.objects.filter(state=PushState.PENDING).count() == 2


def until_somebody_waits() -> None:
    for _ in range(300):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.1)
    pytest.fail("Nobody waits.")
