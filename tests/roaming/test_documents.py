"""What each platform sees, and which change reaches it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Connector, Location
from infrastructure.services import masterdata
from infrastructure.services.status import set_evse_status
from roaming.choices import Module, PlatformState, PushState
from roaming.models import Document, Push, RoamingPlatform
from roaming.ocpi.types import parse_datetime
from roaming.services import documents, exposure, push, session_documents
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, SessionSettings

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo() -> DemoData:
    """The demo's master data with its platform registered and everything pushed once."""
    demo = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    documents.refresh_platform(demo.platform.pk)
    outbox.drain()
    return demo


def body(object_id: str, module: Module = Module.LOCATIONS) -> dict[str, Any]:
    return dict(Document.objects.get(module=module, object_id=object_id).body)


def evse_of(object_id: str, uid: str) -> dict[str, Any]:
    return next(evse for evse in body(object_id)["evses"] if evse["uid"] == uid)


def forget_pushes() -> None:
    Push.objects.update(state=PushState.DONE)


def waiting() -> list[str]:
    return [row.object_id for row in Push.objects.filter(state=PushState.PENDING).order_by("queued_at", "pk")]


def test_a_platform_that_is_not_registered_has_no_documents() -> None:
    demo = data.create()
    outbox.drain()
    assert not Document.objects.filter(platform=demo.platform).exists()


def test_tariffs_are_queued_before_the_locations_that_refer_to_them(demo: DemoData) -> None:
    assert waiting() == ["AT/VLT/ADHOC-AC", "AT/VLT/ADHOC-DC", "AT/VLT/VIE-CITY", "AT/VLT/A4-GOETTLES"]


def test_a_terminal_sees_the_preauthorisation_as_max_price_and_a_text(demo: DemoData) -> None:
    tariff = body("ADHOC-DC", Module.TARIFFS)
    assert tariff["max_price"]["incl_vat"] == 25
    assert tariff["max_price"]["excl_vat"] == pytest.approx(20.8333)
    assert {text["language"] for text in tariff["tariff_alt_text"]} >= {"en", "de"}


def test_a_connector_names_the_tariff_of_the_nearest_level(demo: DemoData) -> None:
    assert evse_of("VIE-CITY", "DEMO-AC-1-1")["connectors"][0]["tariff_ids"] == ["ADHOC-AC"]
    assert evse_of("A4-GOETTLES", "DEMO-DC-1-1")["connectors"][0]["tariff_ids"] == ["ADHOC-DC"]


def test_the_first_exposure_is_noted_on_every_level(demo: DemoData) -> None:
    assert not Connector.objects.filter(first_exposed_at=None).exists()
    assert not EVSE.objects.filter(first_exposed_at=None).exists()
    assert not Location.objects.filter(first_exposed_at=None).exists()


def test_a_status_moves_last_updated_of_its_evse_and_location_only(demo: DemoData) -> None:
    before = body("VIE-CITY")
    forget_pushes()
    set_evse_status(EVSE.objects.get(charger__identity="DEMO-AC-1", number=2).pk, EVSEStatus.CHARGING)
    outbox.drain()
    after = body("VIE-CITY")
    assert waiting() == ["AT/VLT/VIE-CITY"]
    assert after["last_updated"] > before["last_updated"]
    assert after["evses"][0] == before["evses"][0]
    assert after["evses"][1]["status"] == "CHARGING"
    assert after["evses"][1]["last_updated"] > before["evses"][1]["last_updated"]
    assert after["evses"][1]["connectors"] == before["evses"][1]["connectors"]


def test_a_clock_that_was_set_back_does_not_move_last_updated_back(demo: DemoData) -> None:
    """Partners keep the newest: what changes then would never reach them."""
    ahead = timezone.now() + timedelta(hours=2)
    Document.objects.update(last_updated=ahead)
    set_evse_status(EVSE.objects.get(charger__identity="DEMO-AC-1", number=2).pk, EVSEStatus.CHARGING)
    outbox.drain()
    assert parse_datetime(body("VIE-CITY")["last_updated"]) > ahead


def test_a_changed_connector_moves_all_that_contains_it(demo: DemoData) -> None:
    before = body("VIE-CITY")
    connector = Connector.objects.get(evse__charger__identity="DEMO-AC-1", evse__number=1)
    connector.max_amperage = 16
    masterdata.save(connector)
    outbox.drain()
    after = body("VIE-CITY")
    for path in (lambda b: b, lambda b: b["evses"][0], lambda b: b["evses"][0]["connectors"][0]):
        assert path(after)["last_updated"] > path(before)["last_updated"]


def test_an_edit_that_the_platform_cannot_see_does_not_reach_it(demo: DemoData) -> None:
    forget_pushes()
    area = Location.objects.get(roaming_id="VIE-CITY")
    area.phone = "+43 1 999"
    masterdata.save(area)
    outbox.drain()
    assert waiting() == []


def test_what_is_deleted_stays_as_removed(demo: DemoData) -> None:
    masterdata.delete(EVSE.objects.get(charger__identity="DEMO-AC-1", number=2))
    outbox.drain()
    assert evse_of("VIE-CITY", "DEMO-AC-1-2")["status"] == "REMOVED"
    assert evse_of("VIE-CITY", "DEMO-AC-1-1")["status"] != "REMOVED"


def test_a_charger_taken_out_of_roaming_stays_as_removed(demo: DemoData) -> None:
    charger = demo.chargers[0].charger
    charger.roaming = False
    masterdata.save(charger)
    outbox.drain()
    assert {evse["status"] for evse in body("VIE-CITY")["evses"]} == {"REMOVED"}


def test_a_tariff_is_withdrawn_after_the_locations_that_referred_to_it(demo: DemoData) -> None:
    forget_pushes()
    tariff = RoamingTariff.objects.get(code="ADHOC-DC")
    tariff.status = TariffStatus.INACTIVE
    masterdata.save(tariff)
    outbox.drain()
    assert waiting() == ["AT/VLT/A4-GOETTLES", "AT/VLT/ADHOC-DC"]
    assert Document.objects.get(object_id="ADHOC-DC").is_deleted
    # The operator's tariff takes over at the charger.
    assert evse_of("A4-GOETTLES", "DEMO-DC-1-1")["connectors"][0]["tariff_ids"] == ["ADHOC-AC"]


def test_a_tariff_is_not_withdrawn_while_a_location_that_may_name_it_failed_and_waits(demo: DemoData) -> None:
    forget_pushes()
    tariff = RoamingTariff.objects.get(code="ADHOC-DC")
    tariff.status = TariffStatus.INACTIVE
    masterdata.save(tariff)
    outbox.drain()
    place = Push.objects.filter(module=Module.LOCATIONS)
    place.update(attempts=1, not_before=timezone.now() + timedelta(minutes=1))
    assert push.claim_next(demo.platform.pk) is None
    place.update(state=PushState.DONE)
    withdrawal = push.claim_next(demo.platform.pk)
    assert withdrawal and withdrawal.object_id == "AT/VLT/ADHOC-DC"


def test_without_any_tariff_a_terminal_cannot_use_the_connector(demo: DemoData) -> None:
    for settings in SessionSettings.objects.all():
        masterdata.delete(settings)
    outbox.drain()
    assert evse_of("VIE-CITY", "DEMO-AC-1-1")["status"] == "REMOVED"


def session(demo: DemoData, **values: Any) -> ChargingSession:
    return ChargingSession.objects.create(
        peer_id=demo.platform.peer_id,
        country_code="AT",
        party_id="VLT",
        authorization_reference=values.pop("reference", "REF-1"),
        cdr_token={"country_code": "NL", "party_id": "PTP", "uid": "1", "type": "AD_HOC_USER", "contract_id": "1"},
        place={"id": "VIE-CITY", "evse_uid": "DEMO-AC-1-1", "connector_id": "1"},
        id_tag="TAG",
        currency="EUR",
        time_zone="Europe/Vienna",
        **values,
    )


def test_a_start_is_told_once_the_charger_accepted_it(demo: DemoData) -> None:
    row = session(demo)
    session_documents.refresh_session(row.pk)
    assert not Document.objects.filter(module=Module.SESSIONS).exists()
    row.accepted_at = timezone.now()
    row.save()
    session_documents.refresh_session(row.pk)
    assert body(row.uid, Module.SESSIONS)["status"] == "PENDING"


def test_mere_progress_waits_for_its_interval_but_the_end_does_not(demo: DemoData, settings: Any) -> None:
    settings.SESSION_PROGRESS_INTERVAL = timedelta(seconds=30)
    row = session(demo, status=SessionStatus.ACTIVE, started_at=timezone.now())
    session_documents.refresh_session(row.pk)
    told = Document.objects.get(module=Module.SESSIONS)
    told.acknowledged, told.acknowledged_at = told.body, timezone.now()
    told.save()
    forget_pushes()
    row.kwh = Decimal(2)
    row.save()
    session_documents.refresh_session(row.pk)
    progress = Push.objects.get(state=PushState.PENDING)
    assert progress.not_before > timezone.now() + timedelta(seconds=20)
    row.status, row.ended_at = SessionStatus.COMPLETED, timezone.now()
    row.save()
    session_documents.refresh_session(row.pk)
    progress.refresh_from_db()
    assert progress.not_before <= timezone.now()


def test_progress_of_many_sessions_is_told_in_as_many_queries_as_that_of_one(demo: DemoData) -> None:
    running: dict[str, Any] = {"status": SessionStatus.ACTIVE, "started_at": timezone.now()}
    rows = [session(demo, reference=f"REF-{number}", **running) for number in range(4)]
    session_documents.refresh_sessions([row.pk for row in rows])
    counts = []
    for wanted in (rows[:1], rows[1:]):
        forget_pushes()
        ChargingSession.objects.update(kwh=F("kwh") + 1)
        with CaptureQueriesContext(connection) as queries:
            session_documents.refresh_sessions([row.pk for row in wanted])
        counts.append(len(queries))
        assert Push.objects.filter(state=PushState.PENDING).count() == len(wanted)
    assert counts[0] == counts[1] <= 9
    assert {push.sequence for push in Push.objects.all()} >= {f"session {row.uid}" for row in rows[1:]}


def test_refreshing_a_location_needs_a_known_number_of_queries(demo: DemoData) -> None:
    area = Location.objects.get(roaming_id="VIE-CITY")
    documents.refresh_locations([area.pk])
    with CaptureQueriesContext(
        connection,
    ) as few:
        documents.refresh_locations([area.pk])
    for number in range(3, 8):
        evse = EVSE(charger=demo.chargers[0].charger, number=number, evse_id=f"AT*VLT*EDEMOAC1*{number}")
        masterdata.save(evse)
        masterdata.save(Connector(evse=evse, roaming_id="1"))
    outbox.drain()
    with CaptureQueriesContext(connection) as many:
        documents.refresh_locations([area.pk])
    assert len(many) == len(few) <= 12


def test_many_locations_need_as_many_queries_as_one(demo: DemoData) -> None:
    areas = list(Location.objects.order_by("pk"))
    counts = []
    for name, ids in (("New", [areas[0].pk]), ("Newer", [area.pk for area in areas])):
        Location.objects.update(name=name)
        forget_pushes()
        with CaptureQueriesContext(connection) as queries:
            documents.refresh_locations(ids)
        counts.append(len([one for one in queries if "SAVEPOINT" not in one["sql"]]))
        assert len(waiting()) == len(ids)
    assert len(areas) == 2
    assert counts[0] == counts[1]


def test_staff_read_why_a_platform_does_not_see_a_connector(demo: DemoData) -> None:
    charger = demo.chargers[0].charger
    charger.roaming = False
    charger.save()
    EVSE.objects.filter(charger=charger, number=1).update(evse_id="")
    area = exposure.findings(charger.location)[0]
    assert (area.visible, area.total) == (0, 2)
    assert "Charger DEMO-AC-1 is not enabled for roaming." in area.reasons
    assert len(area.reasons) == len(set(area.reasons)) == 2
    other = exposure.findings(demo.chargers[1].charger.location, only=demo.chargers[1].charger)[0]
    assert (other.visible, other.total, other.reasons) == (1, 1, ())


def test_a_tariff_that_ended_by_the_clock_is_rendered_again_through_the_outbox(demo: DemoData) -> None:
    ended = RoamingTariff.objects.get(code="ADHOC-DC")
    RoamingTariff.objects.filter(pk=ended.pk).update(valid_until=timezone.now() - timedelta(minutes=1))
    documents.reevaluate_validity(timedelta(minutes=10))
    assert not Document.objects.get(object_id="ADHOC-DC").is_deleted
    outbox.drain()
    assert Document.objects.get(object_id="ADHOC-DC").is_deleted
    assert evse_of("A4-GOETTLES", "DEMO-DC-1-1")["connectors"][0]["tariff_ids"] == ["ADHOC-AC"]


def test_the_nightly_refresh_goes_through_the_outbox(demo: DemoData) -> None:
    Location.objects.filter(roaming_id="VIE-CITY").update(name="Renamed behind our back")
    documents.request_refresh()
    outbox.drain()
    assert body("VIE-CITY")["name"] == "Renamed behind our back"


@pytest.mark.parametrize("refresh", ["areas", "platform"])
def test_what_was_rendered_while_a_partner_pulled_has_changed_since_that_pull(
    demo: DemoData, refresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees a rendering before all of its batch are done: it must not count as older than that."""
    assert Location.objects.count() > 1
    Location.objects.update(name="Renamed")
    pulled_at = []
    real = documents.location_body

    def rendering(*args: Any) -> Any:
        pulled_at.append(timezone.now())
        return real(*args)

    monkeypatch.setattr(documents, "location_body", rendering)
    if refresh == "areas":
        documents.refresh_locations(list(Location.objects.values_list("pk", flat=True)))
    else:
        documents.refresh_platform(demo.platform.pk)
    assert len(pulled_at) > 1
    listed = Document.objects.filter(module=Module.LOCATIONS, last_updated__gte=pulled_at[-1])
    assert set(listed.values_list("body__name", flat=True)) == {"Renamed"}
    assert listed.count() == Document.objects.filter(module=Module.LOCATIONS).count()
