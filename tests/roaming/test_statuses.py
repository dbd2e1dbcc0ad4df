"""A status reaches every platform that sees the EVSE, without rendering its area."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.demo import data
from config.demo.data import DemoData
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services import masterdata
from infrastructure.services.status import set_evse_status
from roaming.choices import InterfaceRole, Module, PlatformState, PlatformType, PushState
from roaming.models import Document, PlatformEndpoint, Push, RoamingPlatform, RoamingProfile
from roaming.services import documents, rendering, senders
from roaming.services.statuses import tell_statuses
from tests.roaming.factories import RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

AREA = "VIE-CITY"


@pytest.fixture
def demo() -> DemoData:
    """Two partners that were told of everything."""
    demo = data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    RegisteredPlatformFactory(type=PlatformType.EMSP, profiles=[RoamingProfile.objects.get()])
    for platform in RoamingPlatform.objects.all():
        PlatformEndpoint.objects.create(
            platform=platform, identifier=Module.LOCATIONS, role=InterfaceRole.RECEIVER, url="https://partner.example/l"
        )
        documents.refresh_platform(platform.pk)
    outbox.drain()
    for document in Document.objects.all():
        document.acknowledged = document.body
        document.save(update_fields=["acknowledged"])
    Push.objects.all().delete()
    return demo


def outlet(number: int = 1) -> EVSE:
    return EVSE.objects.get(charger__identity="DEMO-AC-1", number=number)


def states() -> list[list[str]]:
    """Of the area's EVSEs, at each platform."""
    rows = Document.objects.filter(module=Module.LOCATIONS, object_id=AREA).order_by("platform")
    return [[evse["status"] for evse in row.body["evses"]] for row in rows]


def test_each_partner_gets_a_patch_of_the_one_evse(demo: DemoData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "location", lambda *_: 1 / 0)
    set_evse_status(outlet().pk, EVSEStatus.CHARGING)
    outbox.drain()
    assert states() == [["CHARGING", "UNKNOWN"]] * 2
    requests = [senders.build(row) for row in Push.objects.filter(state=PushState.PENDING)]
    assert {(one.method, one.url, *one.body) for one in requests if one} == {
        ("PATCH", "https://partner.example/l/AT/VLT/VIE-CITY/DEMO-AC-1-1", "status", "last_updated")
    }
    assert len(requests) == 2


def test_what_is_told_is_what_rendering_everything_would_tell(demo: DemoData) -> None:
    set_evse_status(outlet().pk, EVSEStatus.CHARGING)
    outbox.drain()
    told = list(Document.objects.order_by("pk").values_list("body", "last_updated"))
    Push.objects.all().delete()
    documents.request_refresh()
    outbox.drain()
    assert list(Document.objects.order_by("pk").values_list("body", "last_updated")) == told
    assert not Push.objects.exists()


def test_what_went_there_and_back_is_said_with_its_time_only(demo: DemoData) -> None:
    for status in (EVSEStatus.CHARGING, EVSEStatus.UNKNOWN):
        set_evse_status(outlet().pk, status)
        outbox.drain()
    request = senders.build(Push.objects.filter(state=PushState.PENDING)[0])
    assert request is not None and list(request.body) == ["last_updated"]


def test_what_partners_do_not_see_does_not_come_back_by_its_status(demo: DemoData) -> None:
    charger = demo.chargers[0].charger
    charger.roaming = False
    masterdata.save(charger)
    outbox.drain()
    Push.objects.all().delete()
    set_evse_status(outlet().pk, EVSEStatus.CHARGING)
    outbox.drain()
    assert states() == [["REMOVED", "REMOVED"]] * 2
    assert not Push.objects.exists()


def test_many_statuses_need_as_many_queries_as_one(demo: DemoData) -> None:
    counts = []
    for numbers, status in (([1], EVSEStatus.BLOCKED), ([1, 2], EVSEStatus.CHARGING)):
        pks = [outlet(number).pk for number in numbers] + [EVSE.objects.get(charger__identity="DEMO-DC-1").pk] * (
            len(numbers) - 1
        )
        EVSE.objects.filter(pk__in=pks).update(status=status)
        Push.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            tell_statuses(pks)
        counts.append(len([one for one in queries if "SAVEPOINT" not in one["sql"]]))
    assert Push.objects.count() == 4
    assert counts[0] == counts[1] <= 13
