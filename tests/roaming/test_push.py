"""The queue of what platforms must be told: coalesced, claimed once, retried, given up, said again."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from infrastructure.secrets import encrypt
from roaming.choices import Module, PlatformState, PlatformType, PushState
from roaming.models import Circuit, Document, PlatformEndpoint, Pull, Push, RoamingPlatform
from roaming.services import push, push_outcomes

pytestmark = pytest.mark.django_db

OK = {"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}
SESSION_URL = "http://127.0.0.1:9/2.2.1/sessions/AT/PLG/S1"
CDR_URL = "http://127.0.0.1:9/2.2.1/cdrs"


@pytest.fixture
def platform() -> RoamingPlatform:
    platform = RoamingPlatform.objects.create(
        name="Terminals",
        code="terminals",
        type=PlatformType.PTP,
        state=PlatformState.REGISTERED,
        client_token_encrypted=encrypt("secret"),
    )
    for module in (Module.SESSIONS, Module.CDRS):
        PlatformEndpoint.objects.create(
            platform=platform, identifier=module, role="RECEIVER", url=f"http://127.0.0.1:9/2.2.1/{module}"
        )
    return platform


def document(platform: RoamingPlatform, module: Module, object_id: str, **content: Any) -> Document:
    return Document.objects.create(
        platform=platform,
        module=module,
        source_id=1,
        object_id=object_id,
        country_code="AT",
        party_id="PLG",
        body={"id": object_id, "status": "ACTIVE", **content},
        last_updated=timezone.now(),
    )


def claimed(platform: RoamingPlatform) -> int | None:
    row = push.claim_next(platform.pk)
    return row and row.pk


def session_push(platform: RoamingPlatform) -> Push:
    document(platform, Module.SESSIONS, "S1")
    push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1", sequence="session S1")
    return Push.objects.get(module=Module.SESSIONS)


def cdr_push(platform: RoamingPlatform) -> Push:
    document(platform, Module.CDRS, "C1")
    push.enqueue(platform, Module.CDRS, "AT/PLG/C1", sequence="session S1")
    return Push.objects.get(module=Module.CDRS)


def test_five_changes_become_one_request(platform: RoamingPlatform) -> None:
    session_push(platform)
    for _ in range(4):
        push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1", sequence="session S1")
    assert Push.objects.count() == 1


def test_what_a_worker_takes_while_it_is_queued_again_is_said_once_more(
    platform: RoamingPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else queues the object at the same moment, and a worker sends it without our change."""
    document(platform, Module.SESSIONS, "S1")
    insert = Push.objects.bulk_create

    def overtaken(rows: Any, **options: Any) -> None:
        insert(rows, **options)
        if Push.objects.count() == 1:
            Push.objects.update(state=PushState.IN_FLIGHT)

    monkeypatch.setattr(Push.objects, "bulk_create", overtaken)
    push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1")
    assert list(Push.objects.order_by("pk").values_list("state", flat=True)) == ["IN_FLIGHT", "PENDING"]


@responses.activate
def test_a_delivered_push_is_done_and_the_platform_holds_what_was_sent(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, json=OK, status=201)
    row = session_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.method) == (PushState.DONE, 1, "PUT")
    stored = Document.objects.get()
    assert stored.acknowledged == stored.body


@responses.activate
def test_a_push_in_flight_is_not_sent_twice(platform: RoamingPlatform) -> None:
    row = session_push(platform)
    assert push.claim_next(row.platform_id) is not None
    push.deliver_next(row.platform_id)
    assert len(responses.calls) == 0


@responses.activate
def test_an_unclear_answer_is_tried_again_later(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, status=500)
    row = session_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.needs_operator) == (PushState.PENDING, 1, False)
    assert row.not_before > timezone.now()
    assert row.last_error


@responses.activate
def test_the_peers_wish_for_a_pause_is_respected(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, status=503, headers={"Retry-After": "300"})
    row = session_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert row.not_before > timezone.now() + timedelta(seconds=250)


@responses.activate
def test_a_refused_state_needs_an_operator(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, json={"status_code": 2001, "status_message": "no kwh", "timestamp": "x"})
    row = session_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.needs_operator) == (PushState.FAILED, True)
    assert "no kwh" in row.last_error


@responses.activate
def test_a_refused_cdr_stays_queued_and_needs_an_operator(platform: RoamingPlatform) -> None:
    responses.post(CDR_URL, json={"status_code": 2001, "status_message": "no", "timestamp": "x"})
    row = cdr_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.needs_operator) == (PushState.PENDING, True)


@responses.activate
def test_a_cdr_is_sent_again_byte_for_byte(platform: RoamingPlatform) -> None:
    responses.post(CDR_URL, status=500)
    responses.post(CDR_URL, json=OK, status=201, headers={"Location": "https://ptp.example/cdrs/C1"})
    row = cdr_push(platform)
    push.deliver_next(row.platform_id)
    push.send_again(Push.objects.get())
    push.deliver_next(row.platform_id)
    first, second = (call.request.body for call in responses.calls)
    assert first == second
    assert Document.objects.get().peer_url == "https://ptp.example/cdrs/C1"
    assert Push.objects.get().state == PushState.DONE


@responses.activate
def test_a_cdr_waits_for_the_first_attempt_of_its_session(platform: RoamingPlatform) -> None:
    responses.post(CDR_URL, json=OK, status=201)
    responses.put(SESSION_URL, status=500)
    cdr_push(platform)
    session_push(platform)
    while push.deliver_next(platform.pk):
        pass
    assert [call.request.method for call in responses.calls] == ["PUT", "POST"]


@responses.activate
def test_what_was_given_up_is_said_once_when_the_platform_answers_again(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, status=500)
    row = session_push(platform)
    Push.objects.update(give_up_at=timezone.now())
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert row.state == PushState.DROPPED

    responses.post(CDR_URL, json=OK, status=201)
    push.deliver_next(cdr_push(platform).platform_id)
    waiting = Push.objects.get(state=PushState.PENDING)
    assert waiting.module == Module.SESSIONS
    assert not Push.objects.filter(state=PushState.DROPPED).exists()


@responses.activate
def test_what_the_platform_keeps_answering_with_an_error_is_for_a_person_in_the_end(platform: RoamingPlatform) -> None:
    responses.put(SESSION_URL, status=500, json={"status_code": 3000, "timestamp": "x"})
    row = session_push(platform)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.needs_operator) == (PushState.PENDING, False)
    Push.objects.update(give_up_at=timezone.now(), not_before=timezone.now())
    push.deliver_next(row.platform_id)
    (row,) = Push.objects.all()
    assert (row.state, row.needs_operator) == (PushState.FAILED, True)


@responses.activate
def test_nothing_is_sent_to_a_platform_that_is_not_registered(platform: RoamingPlatform) -> None:
    row = session_push(platform)
    RoamingPlatform.objects.update(state=PlatformState.INVALIDATED)
    push.deliver_next(row.platform_id)
    assert len(responses.calls) == 0
    assert Push.objects.get().state == PushState.PENDING


def test_a_dead_workers_claim_is_released_by_the_sweep(platform: RoamingPlatform) -> None:
    row = session_push(platform)
    push.claim_next(row.platform_id)
    push.sweep()
    assert Push.objects.get().state == PushState.IN_FLIGHT
    Push.objects.update(claimed_at=timezone.now() - push.CLAIM_LIFETIME - timedelta(seconds=1))
    push.sweep()
    assert Push.objects.get().state == PushState.PENDING


def test_a_released_claim_gives_way_to_newer_state(platform: RoamingPlatform) -> None:
    row = session_push(platform)
    push.claim_next(row.platform_id)
    push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1", sequence="session S1")
    push.release_all()
    row.refresh_from_db()
    assert row.state == PushState.SUPERSEDED
    assert Push.objects.filter(state=PushState.PENDING).count() == 1


@responses.activate
def test_a_failed_push_gives_way_to_newer_state_that_it_could_not_see(platform: RoamingPlatform, monkeypatch) -> None:
    row = session_push(platform)
    responses.put(SESSION_URL, status=503)

    def queued_after_the_look(failed: Push) -> bool:
        push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1", sequence="session S1")
        return False

    monkeypatch.setattr(push_outcomes, "_has_newer", queued_after_the_look)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.needs_operator) == (PushState.SUPERSEDED, 1, False)
    assert row.finished_at is not None
    assert Push.objects.filter(state=PushState.PENDING).count() == 1


@responses.activate
def test_a_change_during_the_request_is_a_push_of_its_own(platform: RoamingPlatform) -> None:
    row = session_push(platform)

    def change_meanwhile(_: Any) -> tuple[int, dict[str, str], str]:
        Document.objects.update(body={"id": "S1", "status": "ACTIVE", "kwh": 2})
        with transaction.atomic():
            push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S1", sequence="session S1")
        return 201, {}, '{"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}'

    responses.add_callback(responses.PUT, SESSION_URL, callback=change_meanwhile)
    push.deliver_next(row.platform_id)
    stored = Document.objects.get()
    assert stored.acknowledged != stored.body
    assert Push.objects.filter(state=PushState.PENDING).count() == 1


@responses.activate
@pytest.mark.parametrize("answer", [{"json": OK}, {"status": 503}, {"json": {**OK, "status_code": 2001}}])
def test_the_outcome_of_a_claim_that_was_released_changes_nothing(platform: RoamingPlatform, answer: Any) -> None:
    """A worker that took too long: its row may stand for a newer state, or be on its way with another one."""
    row = session_push(platform)

    def release_meanwhile(_: Any) -> tuple[int, dict[str, str], str]:
        Push.objects.update(claimed_at=timezone.now() - push.CLAIM_LIFETIME - timedelta(seconds=1))
        push.sweep()
        return answer.get("status", 200), {}, json.dumps(answer.get("json", ""))

    responses.add_callback(responses.PUT, SESSION_URL, callback=release_meanwhile)
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.needs_operator) == (PushState.PENDING, 0, False)
    assert row.tries.count() == 1


def test_a_discarded_push_is_not_sent_any_more(platform: RoamingPlatform) -> None:
    row = cdr_push(platform)
    push.discard(row)
    row.refresh_from_db()
    assert (row.state, row.needs_operator) == (PushState.DISCARDED, False)


def test_a_slow_partner_never_takes_all_workers(platform: RoamingPlatform, settings: Any) -> None:
    settings.PEER_CONCURRENCY = 8
    for number in range(3):
        document(platform, Module.SESSIONS, f"S{number}")
        push.enqueue_state(platform, Module.SESSIONS, f"AT/PLG/S{number}")
    first, second, third = Push.objects.order_by("pk").values_list("pk", flat=True)
    assert claimed(platform) == first and claimed(platform) == second
    assert claimed(platform) is None
    Push.objects.filter(pk=first).update(state=PushState.DONE)
    assert claimed(platform) == third


@pytest.mark.parametrize("seconds", [-3600, 30])
def test_a_commands_result_that_staff_send_again_is_still_given_up(platform: RoamingPlatform, seconds: int) -> None:
    given_up = timezone.now() + timedelta(seconds=seconds)
    frozen = {"country_code": "AT", "party_id": "PLG", "body": {"result": "ACCEPTED"}}
    ended = Push.objects.create(
        platform=platform,
        module=Module.COMMANDS,
        object_id="uid",
        method="POST",
        url="http://127.0.0.1:9/response",
        body=frozen,
        state=PushState.FAILED,
        give_up_at=given_up,
    )
    push.send_again(ended)
    again = Push.objects.get(state=PushState.PENDING)
    assert (again.method, again.url, again.body) == ("POST", "http://127.0.0.1:9/response", frozen)
    assert again.give_up_at is not None
    assert timezone.now() < again.give_up_at <= timezone.now() + push.LAST_CHANCE
    push.sweep()
    again.refresh_from_db()
    assert again.state == PushState.PENDING


def test_state_that_staff_send_again_is_given_up_in_time_and_a_cdr_never(platform: RoamingPlatform) -> None:
    for row, is_kept in ((session_push(platform), False), (cdr_push(platform), True)):
        Push.objects.filter(pk=row.pk).update(state=PushState.FAILED)
        row.refresh_from_db()
        push.send_again(row)
        again = Push.objects.get(module=row.module, state=PushState.PENDING)
        assert (again.give_up_at is None) is is_kept


@responses.activate
def test_each_attempt_is_recorded(platform: RoamingPlatform, admin_client: Any) -> None:
    responses.post(CDR_URL, status=500)
    responses.post(CDR_URL, json=OK, status=201)
    row = cdr_push(platform)
    push.deliver_next(row.platform_id)
    push.send_again(Push.objects.get())
    push.deliver_next(row.platform_id)
    first, second = row.tries.all()
    assert (first.number, first.method, first.url, first.http_status) == (1, "POST", CDR_URL, 500)
    assert "fault of its own" in first.error
    assert (second.number, second.http_status, second.error) == (2, 201, "")
    assert first.correlation_id and first.correlation_id != second.correlation_id
    page = admin_client.get(reverse("admin:roaming_push_change", args=[row.pk])).content.decode()
    assert "fault of its own" in page


def test_pauses_grow_to_a_bound_and_differ() -> None:
    pauses = [[push_outcomes.pause_after(attempts) for _ in range(20)] for attempts in range(15)]
    assert all(len(set(some)) > 1 for some in pauses)
    assert all(max(some) < min(later) for some, later in zip(pauses[:8:2], pauses[2:8:2], strict=False))
    assert max(max(some) for some in pauses) <= push_outcomes.LONGEST_BACKOFF * 1.2


def test_pulls_count_in_a_partners_share_of_the_workers(platform: RoamingPlatform, settings: Any) -> None:
    settings.PEER_CONCURRENCY = 8
    for name in ("tokens", "terminals"):
        Pull.objects.create(platform=platform, source=name, claimed_at=timezone.now())
    row = session_push(platform)
    assert push.claim_next(row.platform_id) is None
    Pull.objects.filter(source="tokens").update(claimed_at=None)
    assert push.claim_next(row.platform_id)


def test_old_pushes_go_with_their_attempts_and_what_needs_a_decision_stays(platform: RoamingPlatform) -> None:
    long_ago = timezone.now() - push.KEEP_FINISHED - timedelta(days=1)
    ended = cdr_push(platform)
    ended.tries.create(number=1, duration_ms=1)
    Push.objects.update(state=PushState.DONE, finished_at=long_ago)
    undecided = Push.objects.create(
        platform=platform, module="x", object_id="y", state=PushState.FAILED, needs_operator=True, finished_at=long_ago
    )
    push.delete_finished()
    assert list(Push.objects.all()) == [undecided]


def test_what_a_clock_that_was_set_back_put_off_for_hours_is_due(platform: RoamingPlatform) -> None:
    late = cdr_push(platform)
    planned = timezone.now() + timedelta(minutes=70)
    for not_before in (planned, timezone.now() + timedelta(hours=5)):
        Push.objects.filter(pk=late.pk).update(not_before=not_before)
        push.sweep()
        late.refresh_from_db()
        assert (late.not_before == not_before) is (not_before == planned)
    assert late.not_before <= timezone.now()


def test_a_probe_that_a_clock_put_off_for_hours_is_due(platform: RoamingPlatform) -> None:
    in_hours = timezone.now() + timedelta(hours=5)
    Circuit.objects.create(platform=platform, failures=5, opened_at=timezone.now(), probe_at=in_hours)
    push.sweep()
    assert Circuit.objects.get().probe_at <= timezone.now()


@responses.activate
def test_a_delivery_costs_as_many_queries_however_many_wait(
    platform: RoamingPlatform, django_assert_num_queries: Any
) -> None:
    responses.put(re.compile(".*/sessions/.*"), json=OK)
    for number in range(30):
        document(platform, Module.SESSIONS, f"S{number}")
        push.enqueue_state(platform, Module.SESSIONS, f"AT/PLG/S{number}", sequence=f"session S{number}")
    with django_assert_num_queries(20):
        assert push.deliver_next(platform.pk)
    Push.objects.filter(state=PushState.PENDING).delete()
    with django_assert_num_queries(1):
        assert not push.deliver_next(platform.pk)
