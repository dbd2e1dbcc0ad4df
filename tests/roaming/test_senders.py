"""The smallest request that brings a platform's copy up to date."""

from copy import deepcopy
from typing import Any

import pytest
from django.utils import timezone

from roaming.choices import Module, PlatformState, PlatformType
from roaming.models import Document, PlatformEndpoint, Push, RoamingPlatform
from roaming.services import senders

pytestmark = pytest.mark.django_db

LOCATION: dict[str, Any] = {
    "country_code": "AT",
    "party_id": "PLG",
    "id": "LOC1",
    "name": "Garage",
    "evses": [
        {"uid": "E1", "status": "AVAILABLE", "connectors": [{"id": "1", "last_updated": "t0"}], "last_updated": "t0"},
        {"uid": "E2", "status": "AVAILABLE", "connectors": [{"id": "1", "last_updated": "t0"}], "last_updated": "t0"},
    ],
    "last_updated": "t0",
}
SESSION: dict[str, Any] = {
    "country_code": "AT",
    "party_id": "PLG",
    "id": "S1",
    "status": "ACTIVE",
    "kwh": 1.5,
    "last_updated": "t0",
}


@pytest.fixture
def platform() -> RoamingPlatform:
    platform = RoamingPlatform.objects.create(
        name="Terminals", code="terminals", type=PlatformType.PTP, state=PlatformState.REGISTERED
    )
    for module in (Module.LOCATIONS, Module.SESSIONS, Module.TARIFFS, Module.CDRS):
        PlatformEndpoint.objects.create(
            platform=platform, identifier=module, role="RECEIVER", url=f"https://ptp.example/2.2.1/{module}"
        )
    return platform


def pushed(platform: RoamingPlatform, module: Module, acknowledged: Any, body: Any, **values: Any) -> Push:
    document = Document.objects.create(
        platform=platform,
        module=module,
        source_id=1,
        object_id=body["id"],
        country_code="AT",
        party_id="PLG",
        body=body,
        acknowledged=acknowledged,
        last_updated=timezone.now(),
        **values,
    )
    return Push(platform=platform, module=module, object_id=document.path)


def test_an_object_the_platform_never_had_is_put_whole(platform: RoamingPlatform) -> None:
    request = senders.build(pushed(platform, Module.LOCATIONS, None, LOCATION))
    assert request is not None
    assert (request.method, request.url) == ("PUT", "https://ptp.example/2.2.1/locations/AT/PLG/LOC1")
    assert request.body == LOCATION


def test_a_changed_status_is_a_patch_of_its_evse(platform: RoamingPlatform) -> None:
    body = deepcopy(LOCATION) | {"last_updated": "t1"}
    body["evses"][1] |= {"status": "CHARGING", "last_updated": "t1"}
    request = senders.build(pushed(platform, Module.LOCATIONS, LOCATION, body))
    assert request is not None
    assert (request.method, request.url) == ("PATCH", "https://ptp.example/2.2.1/locations/AT/PLG/LOC1/E2")
    assert request.body == {"status": "CHARGING", "last_updated": "t1"}
    assert request.state == body


def test_two_changed_evses_are_one_put(platform: RoamingPlatform) -> None:
    body = deepcopy(LOCATION)
    for evse in body["evses"]:
        evse["status"] = "CHARGING"
    request = senders.build(pushed(platform, Module.LOCATIONS, LOCATION, body))
    assert request is not None and request.method == "PUT"


def test_a_field_that_is_gone_needs_a_put(platform: RoamingPlatform) -> None:
    before = deepcopy(LOCATION)
    before["evses"][0]["floor_level"] = "-1"
    body = deepcopy(LOCATION)
    request = senders.build(pushed(platform, Module.LOCATIONS, before, body))
    assert request is not None and request.method == "PUT"


def test_a_new_evse_is_a_put(platform: RoamingPlatform) -> None:
    before = deepcopy(LOCATION)
    del before["evses"][1]
    request = senders.build(pushed(platform, Module.LOCATIONS, before, LOCATION))
    assert request is not None and request.method == "PUT"


def test_nothing_is_sent_when_the_platform_holds_the_state(platform: RoamingPlatform) -> None:
    assert senders.build(pushed(platform, Module.LOCATIONS, LOCATION, LOCATION)) is None


def test_nothing_is_sent_where_the_platform_has_no_receiver(platform: RoamingPlatform) -> None:
    PlatformEndpoint.objects.filter(identifier=Module.LOCATIONS).delete()
    assert senders.build(pushed(platform, Module.LOCATIONS, None, LOCATION)) is None


def test_progress_of_a_session_is_a_patch_of_what_changed(platform: RoamingPlatform) -> None:
    body = SESSION | {"kwh": 2.5, "total_cost": {"excl_vat": 1, "incl_vat": 1.2}, "last_updated": "t1"}
    request = senders.build(pushed(platform, Module.SESSIONS, SESSION, body))
    assert request is not None and request.method == "PATCH"
    assert request.body == {"kwh": 2.5, "total_cost": {"excl_vat": 1, "incl_vat": 1.2}, "last_updated": "t1"}


def test_changed_charging_periods_are_a_put_because_a_patch_would_append(platform: RoamingPlatform) -> None:
    before = SESSION | {"charging_periods": [{"start_date_time": "t0"}]}
    body = before | {"charging_periods": [{"start_date_time": "t0"}, {"start_date_time": "t1"}]}
    request = senders.build(pushed(platform, Module.SESSIONS, before, body))
    assert request is not None and request.method == "PUT"


def test_a_withdrawn_tariff_is_deleted_once(platform: RoamingPlatform) -> None:
    tariff = {"id": "T1", "country_code": "AT", "party_id": "PLG"}
    push = pushed(platform, Module.TARIFFS, tariff, tariff, is_deleted=True)
    request = senders.build(push)
    assert request is not None
    assert (request.method, request.body) == ("DELETE", None)
    Document.objects.update(acknowledged=None)
    assert senders.build(push) is None


def test_a_refused_patch_is_followed_by_the_whole_object(platform: RoamingPlatform) -> None:
    push = pushed(platform, Module.SESSIONS, SESSION, SESSION | {"kwh": 2.5})
    push.method = "PATCH"
    assert senders.refused(push) is True
    request = senders.build(push)
    assert request is not None and request.method == "PUT"
    push.method = "PUT"
    assert senders.refused(push) is False
