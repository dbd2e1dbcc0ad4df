"""A platform that does not answer is left alone, probed now and then, and gets everything once it is back."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses
from django.urls import reverse
from django.utils import timezone, translation

from roaming.choices import Module, PushState
from roaming.models import Circuit, Document, PlatformEndpoint, Push, RoamingPlatform
from roaming.ocpi.errors import PeerGarbage, PeerRefused, PeerUnreachable
from roaming.services import circuit, push
from tests.roaming.factories import DocumentFactory, PlatformFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db

BASE = "http://127.0.0.1:9"
OK = {"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}
DOWN = PeerUnreachable("down")


@pytest.fixture
def platform() -> RoamingPlatform:
    platform = RegisteredPlatformFactory(url=f"{BASE}/versions")
    for module in (Module.SESSIONS, Module.CDRS, Module.TARIFFS, Module.LOCATIONS):
        PlatformEndpoint.objects.create(
            platform=platform, identifier=module, role="RECEIVER", url=f"{BASE}/2.2.1/{module}"
        )
    return platform


def queued(platform: RoamingPlatform, module: str = Module.SESSIONS, name: str = "S1", **fields: Any) -> Push:
    document = DocumentFactory(platform=platform, module=module, object_id=name, body={"id": name})
    enqueue = push.enqueue if module == Module.CDRS else push.enqueue_state
    enqueue(platform, module, document.path, **fields)
    return Push.objects.get(platform=platform, module=module, object_id=document.path, state=PushState.PENDING)


def fail(platform: RoamingPlatform, times: int) -> Circuit:
    for _ in range(times):
        circuit.note_failure(platform, DOWN)
    return Circuit.objects.get(platform=platform)


def make_due() -> None:
    Circuit.objects.update(probe_at=timezone.now())


def test_it_opens_after_several_failures_in_a_row(platform: RoamingPlatform) -> None:
    assert fail(platform, circuit.OPENS_AFTER - 1).opened_at is None
    opened = fail(platform, 1)
    assert opened.opened_at is not None
    assert opened.probe_at is not None and opened.probe_at > timezone.now()


def test_an_answer_in_between_starts_the_count_anew(platform: RoamingPlatform) -> None:
    fail(platform, circuit.OPENS_AFTER - 1)
    circuit.note_answer(platform)
    assert fail(platform, circuit.OPENS_AFTER - 1).opened_at is None


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (PeerUnreachable("x"), True),
        (PeerGarbage("x"), True),
        (PeerRefused("x", http_status=502), True),
        (PeerRefused("x", http_status=401, status_code=2001), True),
        (PeerRefused("x", http_status=429, status_code=2000), True),
        (PeerRefused("x", http_status=500, status_code=3000), False),
        (PeerRefused("x", http_status=200, status_code=2001), False),
        (PeerRefused("x", http_status=404), False),
    ],
)
def test_a_refusal_of_one_object_says_nothing_of_the_platform(error: Any, counts: bool) -> None:
    assert circuit.concerns_all(error) is counts


@responses.activate
def test_while_it_is_open_nothing_is_sent_and_other_platforms_are(platform: RoamingPlatform) -> None:
    other = RegisteredPlatformFactory()
    PlatformEndpoint.objects.create(
        platform=other, identifier=Module.SESSIONS, role="RECEIVER", url=f"{BASE}/2.2.1/sessions"
    )
    responses.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", json=OK)
    fail(platform, circuit.OPENS_AFTER)
    push.deliver_next(queued(platform).platform_id)
    assert len(responses.calls) == 0
    push.deliver_next(queued(other).platform_id)
    assert len(responses.calls) == 1


def test_of_all_that_waits_one_is_the_probe(platform: RoamingPlatform) -> None:
    first, second = queued(platform), queued(platform, name="S2")
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    assert push.claim_next(first.platform_id)
    assert push.claim_next(second.platform_id) is None
    second.refresh_from_db()
    assert second.state == PushState.PENDING


@responses.activate
def test_a_failed_probe_plans_the_next_one_later(platform: RoamingPlatform) -> None:
    responses.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", status=503)
    row = queued(platform)
    fail(platform, circuit.OPENS_AFTER)
    pauses = []
    for _ in range(9):
        make_due()
        Push.objects.update(not_before=timezone.now(), give_up_at=None)
        before = timezone.now()
        push.deliver_next(row.platform_id)
        pauses.append(Circuit.objects.get().probe_at - before)
    assert len(responses.calls) == 9
    assert pauses[0] < pauses[2] < pauses[4]
    assert pauses[-1] <= circuit.LONGEST_PAUSE * 1.3


def test_requests_that_were_on_their_way_when_it_opened_do_not_move_the_probe(platform: RoamingPlatform) -> None:
    opened = fail(platform, circuit.OPENS_AFTER)
    later = fail(platform, 3)
    assert (later.probe_at, later.probes) == (opened.probe_at, opened.probes)


@responses.activate
def test_a_good_probe_closes_it_and_what_waited_goes_at_once(platform: RoamingPlatform) -> None:
    responses.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", json=OK)
    cdr, session = queued(platform, Module.CDRS, "C1"), queued(platform)
    Push.objects.filter(pk=cdr.pk).update(attempts=9, not_before=timezone.now() + timedelta(minutes=9))
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    push.deliver_next(session.platform_id)
    closed = Circuit.objects.get()
    assert (closed.failures, closed.opened_at, closed.probe_at) == (0, None, None)
    cdr.refresh_from_db()
    assert cdr.not_before <= timezone.now()


@responses.activate
def test_a_refused_probe_is_an_answer_too(platform: RoamingPlatform) -> None:
    responses.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", json={**OK, "status_code": 2001})
    row = queued(platform)
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    push.deliver_next(row.platform_id)
    assert Circuit.objects.get().opened_at is None


def test_a_probe_that_had_nothing_to_say_leaves_its_place_to_the_next(platform: RoamingPlatform) -> None:
    row = queued(platform)
    Document.objects.update(acknowledged={"id": "S1"})
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    push.deliver_next(row.platform_id)
    assert Push.objects.get().state == PushState.DONE
    assert push.claim_next(queued(platform, name="S2").platform_id)


@responses.activate
def test_where_nothing_waits_the_versions_are_the_probe(platform: RoamingPlatform, monkeypatch: Any) -> None:
    responses.get(f"{BASE}/versions", json={**OK, "data": []})
    dropped = queued(platform)
    Push.objects.update(state=PushState.DROPPED)
    fail(platform, circuit.OPENS_AFTER)
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(push, "wake_task", lambda *args: woken.append(args))
    monkeypatch.setattr(push, "wake", lambda *args: woken.append(("deliver", *args)))
    push.sweep()
    assert woken == []
    make_due()
    push.sweep()
    assert woken == [(push.PROBE, platform.pk)]
    push.probe(platform.pk)
    assert len(responses.calls) == 1
    dropped.refresh_from_db()
    assert dropped.state == PushState.SUPERSEDED
    assert Push.objects.filter(state=PushState.PENDING).count() == 1


@pytest.mark.parametrize(
    ("before", "after", "sequence"),
    [(Module.SESSIONS, Module.CDRS, "session S"), (Module.TARIFFS, Module.LOCATIONS, "infrastructure")],
)
@pytest.mark.parametrize("is_given_up", [False, True])
def test_what_others_refer_to_arrives_before_them_after_an_outage(
    platform: RoamingPlatform, before: str, after: str, sequence: str, is_given_up: bool, monkeypatch: Any
) -> None:
    """The first to be sent to a platform that is back must not be a CDR whose session it never heard of."""
    first, second = queued(platform, before, "A", sequence=sequence), queued(platform, after, "B", sequence=sequence)
    later = timezone.now() + timedelta(minutes=9)
    Push.objects.filter(pk=first.pk).update(attempts=3, not_before=later)
    Push.objects.filter(pk=second.pk).update(attempts=3, give_up_at=None)
    if is_given_up:
        Push.objects.filter(pk=first.pk).update(state=PushState.DROPPED)
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    assert push.claim_next(second.platform_id) is None
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(push, "wake_task", lambda *args: woken.append(args))
    monkeypatch.setattr(push, "wake", lambda *args: woken.append(("deliver", *args)))
    push.sweep()
    assert ((push.PROBE, platform.pk) in woken) is is_given_up
    if is_given_up:
        with responses.RequestsMock() as peer:
            peer.get(f"{BASE}/versions", json={**OK, "data": []})
            push.probe(platform.pk)
    else:
        assert ("deliver", platform.pk) in woken
    next_one = push.claim_next(platform.pk)
    assert next_one and next_one.module == before


def test_a_commands_result_is_no_probe(platform: RoamingPlatform, monkeypatch: Any) -> None:
    push.enqueue(platform, Module.COMMANDS, "uid", method="POST", url=f"{BASE}/result", body={"result": "ACCEPTED"})
    Push.objects.update(attempts=1, not_before=timezone.now() + timedelta(seconds=30))
    fail(platform, circuit.OPENS_AFTER)
    make_due()
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(push, "wake_task", lambda *args: woken.append(args))
    monkeypatch.setattr(push, "wake", lambda *args: woken.append(("deliver", *args)))
    push.sweep()
    assert woken == [(push.PROBE, platform.pk)]


@responses.activate
def test_after_a_pause_that_outlasts_a_session_its_cdr_still_arrives(platform: RoamingPlatform) -> None:
    """One wish is no open circuit: the session was given up, and nothing else says that it may be told again."""
    session = queued(platform, sequence="session S")
    cdr = queued(platform, Module.CDRS, "C1", sequence="session S")
    responses.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", status=503, headers={"Retry-After": "900"})
    assert push.deliver_next(platform.pk) and not push.deliver_next(platform.pk)
    session.refresh_from_db()
    assert session.state == PushState.DROPPED and Circuit.objects.get().opened_at is None
    responses.replace(responses.PUT, f"{BASE}/2.2.1/sessions/AT/PLG/S1", json=OK)
    responses.post(f"{BASE}/2.2.1/cdrs", json=OK)
    responses.get(f"{BASE}/versions", json={**OK, "data": []})
    make_due()
    push.probe(platform.pk)
    while push.deliver_next(platform.pk):
        pass
    cdr.refresh_from_db()
    assert cdr.state == PushState.DONE


@responses.activate
@pytest.mark.parametrize("is_taken", [True, False])
def test_a_commands_result_says_nothing_of_the_platform(platform: RoamingPlatform, is_taken: bool) -> None:
    opened = fail(platform, circuit.OPENS_AFTER)
    Circuit.objects.update(probe_started_at=timezone.now())
    responses.post(f"{BASE}/result", json=OK if is_taken else {**OK, "status_code": 2001})
    frozen = {"country_code": "AT", "party_id": "PLG", "body": {"result": "ACCEPTED"}}
    push.enqueue(platform, Module.COMMANDS, "uid", method="POST", url=f"{BASE}/result", body=frozen)
    assert push.deliver_next(platform.pk)
    circuit_now = Circuit.objects.get()
    assert (circuit_now.failures, circuit_now.probe_at) == (opened.failures, opened.probe_at)
    assert circuit_now.probe_started_at is not None


@responses.activate
def test_a_probe_that_is_not_due_is_not_sent(platform: RoamingPlatform) -> None:
    fail(platform, circuit.OPENS_AFTER)
    push.probe(platform.pk)
    assert len(responses.calls) == 0


@responses.activate
def test_a_commands_result_does_not_wait_and_does_not_count(platform: RoamingPlatform) -> None:
    responses.post("http://127.0.0.1:9/elsewhere", body=requests.ConnectionError("down"))
    frozen = {"country_code": "AT", "party_id": "PLG", "body": {"result": "ACCEPTED"}}
    push.enqueue(platform, Module.COMMANDS, "uid", method="POST", url="http://127.0.0.1:9/elsewhere", body=frozen)
    opened = fail(platform, circuit.OPENS_AFTER)
    push.deliver_next(Push.objects.get().platform_id)
    assert len(responses.calls) == 1
    assert Circuit.objects.get().failures == opened.failures


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_pause_that_the_platform_asks_for_holds_for_all_of_it(platform: RoamingPlatform, form: str) -> None:
    wish = "300" if form == "seconds" else format_datetime(timezone.now() + timedelta(seconds=300), usegmt=True)
    first, second = queued(platform), queued(platform, name="S2")
    with responses.RequestsMock() as peer:
        peer.put(f"{BASE}/2.2.1/sessions/AT/PLG/S1", status=503, headers={"Retry-After": wish})
        push.deliver_next(first.platform_id)
        push.deliver_next(second.platform_id)
    first.refresh_from_db()
    soon = timezone.now() + timedelta(seconds=200)
    assert first.not_before > soon
    assert Circuit.objects.get().probe_at > soon


@pytest.mark.parametrize("wish", ["999999999", "Fri, 31 Dec 2199 23:59:59 GMT"])
@responses.activate
def test_no_platform_makes_us_wait_for_days(platform: RoamingPlatform, wish: str) -> None:
    responses.post(f"{BASE}/2.2.1/cdrs", status=429, headers={"Retry-After": wish})
    row = queued(platform, Module.CDRS, "C1")
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    bound = timezone.now() + circuit.LONGEST_WISH * 1.3
    assert row.not_before < bound
    assert Circuit.objects.get().probe_at < bound


def test_staff_see_it_and_try_now(admin_client: Any, platform: RoamingPlatform) -> None:
    queued(platform)
    page = reverse("admin:roaming_roamingplatform_change", args=[platform.pk])
    assert "Messages go out at once" in admin_client.get(page).content.decode()
    fail(platform, circuit.OPENS_AFTER)
    text = admin_client.get(page).content.decode()
    assert "The next attempt is at" in text and "5 times in a row, last: down" in text
    action = reverse("admin:roaming_roamingplatform_try_now", args=[platform.pk])
    admin_client.get(action)
    assert Circuit.objects.get().probe_at > timezone.now()
    admin_client.post(action)
    assert Circuit.objects.get().probe_at <= timezone.now()
    assert push.claim_next(Push.objects.get().platform_id)


def test_the_list_of_platforms_costs_the_same_however_many_fail(
    admin_client: Any, platform: RoamingPlatform, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        fail(RegisteredPlatformFactory(), circuit.OPENS_AFTER)
    with django_assert_max_num_queries(12):
        text = admin_client.get(reverse("admin:roaming_roamingplatform_changelist")).content.decode()
    assert text.count("stopped") >= 5


def test_what_staff_read_of_a_circuit_is_in_their_language() -> None:
    circuit = Circuit(platform=PlatformFactory(name="Peer"), probe_at=timezone.now())
    with translation.override("de"):
        assert str(circuit) == "Senden an Peer wird zurückgehalten"
