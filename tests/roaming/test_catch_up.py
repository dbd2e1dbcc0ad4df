"""What a platform was never told is found by comparing, in the order in which it must arrive."""

import json
from typing import Any

import pytest
import requests
import responses
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from roaming.choices import Module, PlatformState, PushState
from roaming.models import ClientInfo, Document, PlatformEndpoint, Push, RoamingPlatform
from roaming.services import catch_up, hub, push, push_outcomes
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

BASE = "http://127.0.0.1:9/2.2.1"
OK = {"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}
MODULES = (Module.CDRS, Module.SESSIONS, Module.LOCATIONS, Module.TARIFFS)


@pytest.fixture
def platform() -> RoamingPlatform:
    platform = RegisteredPlatformFactory()
    for module in MODULES:
        PlatformEndpoint.objects.create(platform=platform, identifier=module, role="RECEIVER", url=f"{BASE}/{module}")
    return platform


def document(platform: RoamingPlatform, module: str = Module.LOCATIONS, name: str = "X", **fields: Any) -> Document:
    body: dict[str, Any] = {"id": name}
    if module == Module.CDRS:
        body |= {"session_id": "S", "cdr_token": {"country_code": "DE", "party_id": "EMP"}}
    return DocumentFactory(platform=platform, module=module, object_id=name, body=body, **fields)


def names() -> list[str]:
    return [row.object_id.rpartition("/")[2] for row in Push.objects.order_by("queued_at", "pk")]


def test_what_others_refer_to_is_queued_before_them(platform: RoamingPlatform) -> None:
    for module in MODULES:
        document(platform, module, module)
    assert catch_up.enqueue_untold() == 4
    assert names() == ["tariffs", "locations", "sessions", "cdrs"]
    kept = Push.objects.get(module=Module.CDRS)
    assert kept.give_up_at is None and Push.objects.get(module=Module.SESSIONS).give_up_at is not None


def test_what_was_said_or_is_queued_or_decided_is_not_said_again(platform: RoamingPlatform) -> None:
    document(platform, name="told", acknowledged={"id": "told"})
    waiting = document(platform, name="waiting")
    push.enqueue_state(platform, Module.LOCATIONS, waiting.path)
    for state in (PushState.FAILED, PushState.DISCARDED):
        decided = document(platform, name=state)
        Push.objects.create(platform=platform, module=Module.LOCATIONS, object_id=decided.path, state=state)
    document(platform, name="never-there", is_deleted=True)
    assert catch_up.enqueue_untold() == 0


def test_a_change_after_a_refusal_is_said(platform: RoamingPlatform) -> None:
    refused = document(platform)
    Push.objects.create(platform=platform, module=Module.LOCATIONS, object_id=refused.path, state=PushState.FAILED)
    Document.objects.update(last_updated=timezone.now())
    assert catch_up.enqueue_untold() == 1


def test_an_outdated_copy_and_one_that_should_be_gone_are_said(platform: RoamingPlatform) -> None:
    document(platform, name="old", acknowledged={"id": "old", "name": "before"})
    document(platform, Module.TARIFFS, "withdrawn", acknowledged={"id": "withdrawn"}, is_deleted=True)
    assert catch_up.enqueue_untold() == 2


def test_nothing_is_queued_for_who_is_not_registered_or_takes_no_such_objects(platform: RoamingPlatform) -> None:
    document(RegisteredPlatformFactory())
    gone = document(platform).platform
    RoamingPlatform.objects.filter(pk=gone.pk).update(state=PlatformState.INVALIDATED)
    assert catch_up.enqueue_untold() == 0


# Order where it matters


def deliver_all() -> list[str]:
    """Sends all that may go; gives what reached the peer."""
    for platform in RoamingPlatform.objects.all():
        while push.deliver_next(platform.pk):
            pass
    return [f"{call.request.method} {call.request.url.removeprefix(BASE)}" for call in responses.calls]


@responses.activate
def test_a_tariff_arrives_before_its_location_and_a_session_before_its_cdr(platform: RoamingPlatform) -> None:
    for module in MODULES:
        path = "" if module == Module.CDRS else "/AT/PLG/S" if module == Module.SESSIONS else f"/AT/PLG/{module}"
        responses.add("POST" if module == Module.CDRS else "PUT", f"{BASE}/{module}{path}", json=OK)
        document(platform, module, "S" if module == Module.SESSIONS else module)
    catch_up.enqueue_untold()
    sent = deliver_all()
    assert sent.index("PUT /tariffs/AT/PLG/tariffs") < sent.index("PUT /locations/AT/PLG/locations")
    assert sent.index("PUT /sessions/AT/PLG/S") < sent.index("POST /cdrs")
    assert len(sent) == 4


@responses.activate
def test_the_order_holds_after_an_outage_of_any_length(platform: RoamingPlatform) -> None:
    session, cdr = document(platform, Module.SESSIONS, "S"), document(platform, Module.CDRS, "C")
    push.enqueue_state(platform, Module.SESSIONS, session.path, sequence="session S")
    push.enqueue(platform, Module.CDRS, cdr.path, sequence="session S")
    down = requests.ConnectionError("down")
    responses.put(f"{BASE}/sessions/AT/PLG/S", body=down)
    responses.post(f"{BASE}/cdrs", body=down)
    for _ in range(3):
        Push.objects.update(not_before=timezone.now())
        deliver_all()
    Push.objects.filter(module=Module.SESSIONS).update(state=PushState.DROPPED)
    failed = len(responses.calls)

    responses.replace(responses.PUT, f"{BASE}/sessions/AT/PLG/S", json=OK)
    responses.replace(responses.POST, f"{BASE}/cdrs", json=OK)
    # All that waits is the CDR of a session that the partner never heard of, so its versions tell whether it is back.
    RoamingPlatform.objects.update(url=f"{BASE}/versions")
    responses.get(f"{BASE}/versions", json={**OK, "data": []})
    push.try_now(platform)
    push.probe(platform.pk)
    Push.objects.update(not_before=timezone.now())
    assert deliver_all()[failed + 1 :] == ["PUT /sessions/AT/PLG/S", "POST /cdrs"]
    bodies = {call.request.body for call in responses.calls if call.request.url.endswith("/cdrs")}
    assert len(bodies) == 1
    assert not Push.objects.filter(state__in=[PushState.PENDING, PushState.DROPPED]).exists()


def queue_cdr(platform: RoamingPlatform, name: str, position: int) -> Push:
    path = document(platform, Module.CDRS, name, source_id=position).path
    push.enqueue(platform, Module.CDRS, path, sequence="session S", position=position)
    return Push.objects.get(object_id=path)


@responses.activate
def test_of_one_sessions_cdrs_each_waits_until_the_one_before_was_taken(platform: RoamingPlatform) -> None:
    taken = responses.post(f"{BASE}/cdrs", json=OK)
    for position, name in enumerate(("first", "credit", "corrected")):
        queue_cdr(platform, name, position)
    deliver_all()
    assert [json.loads(call.request.body)["id"] for call in taken.calls] == ["first", "credit", "corrected"]


@responses.activate
def test_a_refused_credit_keeps_back_the_corrected_cdr_until_staff_decide(platform: RoamingPlatform) -> None:
    refusal = responses.post(f"{BASE}/cdrs", json={**OK, "status_code": 2001}, status=400)
    for position, name in enumerate(("credit", "corrected")):
        queue_cdr(platform, name, position)
    deliver_all()
    assert [json.loads(call.request.body)["id"] for call in refusal.calls] == ["credit"]
    push.discard(Push.objects.order_by("pk")[0])
    responses.replace(responses.POST, f"{BASE}/cdrs", json=OK)
    deliver_all()
    assert Push.objects.order_by("pk")[1].state == PushState.DONE


@responses.activate
@pytest.mark.parametrize("by", ["staff", "hub"])
def test_a_cdr_that_is_queued_anew_goes_before_its_credit(platform: RoamingPlatform, by: str) -> None:
    taken = responses.post(f"{BASE}/cdrs", json=OK)
    first = queue_cdr(platform, "first", 1)
    if by == "staff":
        push.discard(first)
    else:
        Push.objects.update(state=PushState.SUPERSEDED)
    queue_cdr(platform, "credit", 2)
    if by == "staff":
        push.send_again(Push.objects.get(pk=first.pk))
    else:
        hub._catch_up(ClientInfo(platform=platform, country_code="DE", party_id="EMP"))
    deliver_all()
    assert [json.loads(call.request.body)["id"] for call in taken.calls] == ["first", "credit"]


@responses.activate
def test_cdrs_of_other_sessions_do_not_wait_for_a_refused_one(platform: RoamingPlatform) -> None:
    responses.post(f"{BASE}/cdrs", json={**OK, "status_code": 2001}, status=400)
    for name in ("S", "T"):
        push.enqueue(platform, Module.CDRS, document(platform, Module.CDRS, name).path, sequence=f"session {name}")
    assert len(deliver_all()) == 2


# What was given up while the partner was away


def given_up(platform: RoamingPlatform, module: Module, name: str, **values: Any) -> None:
    path = document(platform, module, name, **values).path
    push.enqueue_state(platform, module, path, sequence="infrastructure")
    Push.objects.filter(module=module, object_id=path).update(state=PushState.DROPPED)


@pytest.mark.parametrize("is_offered", [True, False])
def test_a_tariff_comes_before_its_locations_and_goes_after_them(platform: RoamingPlatform, is_offered: bool) -> None:
    given_up(platform, Module.TARIFFS, "T", is_deleted=not is_offered)
    push.enqueue_state(platform, Module.LOCATIONS, document(platform, name="waits").path, sequence="infrastructure")
    given_up(platform, Module.LOCATIONS, "L")
    push_outcomes.platform_answered(platform)
    claimed = []
    while one := push.claim_next(platform.pk):
        claimed.append(one.module)
        Push.objects.filter(pk=one.pk).update(state=PushState.DONE)
    locations = [Module.LOCATIONS, Module.LOCATIONS]
    assert claimed == ([Module.TARIFFS, *locations] if is_offered else [*locations, Module.TARIFFS])


def test_many_take_as_many_queries_as_one(platform: RoamingPlatform) -> None:
    queries = []
    for number in (1, 30):
        for index in range(number):
            given_up(platform, Module.LOCATIONS, f"{number}-{index}")
        with CaptureQueriesContext(connection) as captured:
            push_outcomes.platform_answered(platform)
        queries.append(len(captured))
        assert Push.objects.filter(state=PushState.PENDING).count() == number
        Push.objects.all().delete()
    assert queries[0] == queries[1]


def test_many_sessions_of_a_party_that_is_back_take_as_many_queries_as_one(platform: RoamingPlatform) -> None:
    queries = []
    for number in (1, 30):
        for index in range(number):
            name = f"{number}-{index}"
            body = {"id": name, "cdr_token": {"country_code": "DE", "party_id": "EMP"}}
            DocumentFactory(platform=platform, module=Module.SESSIONS, object_id=name, body=body)
        with CaptureQueriesContext(connection) as captured:
            hub._catch_up(ClientInfo(platform=platform, country_code="DE", party_id="EMP"))
        queries.append(len(captured))
        assert Push.objects.filter(state=PushState.PENDING).count() == number
        Push.objects.all().delete()
        Document.objects.all().delete()
    assert queries[0] == queries[1]
