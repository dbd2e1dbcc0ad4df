"""Alerts reach people: one message for all that is new, by each channel, never twice, never lost."""

import json
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.core import mail
from django.utils import timezone

from config.alerts import channels, digests
from infrastructure.choices import AlertState, DigestState
from infrastructure.models import Alert, AlertDigest

pytestmark = pytest.mark.django_db

HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def targets(settings: Any) -> None:
    settings.ALERT_EMAILS = ["ops@example.com", "boss@example.com"]
    settings.ALERT_WEBHOOK_URL = HOOK


@pytest.fixture
def hook() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as peer:
        peer.post(HOOK, status=204)
        yield peer


def alert(cause: str, **fields: Any) -> Alert:
    opened_at = timezone.now() - digests.SETTLING - timedelta(seconds=1)
    return Alert.objects.create(
        **{"cause": cause, "title": f"{cause} is wrong", "path": "/admin/x/", "opened_at": opened_at} | fields
    )


def let_time_pass() -> None:
    AlertDigest.objects.update(created_at=timezone.now() - timedelta(hours=1), not_before=timezone.now())


def test_all_that_is_new_is_one_message_by_each_channel(hook: Any) -> None:
    alert("a", text="Do this.")
    alert("b")
    digests.send_alerts()
    [message] = mail.outbox
    assert message.to == ["ops@example.com", "boss@example.com"]
    assert message.subject == "Plugtill: a is wrong and 1 more"
    assert "Do this." in message.body and "http://testserver/admin/x/" in message.body
    [call] = hook.calls
    body = json.loads(call.request.body)
    assert [one["title"] for one in body["alerts"]] == ["a is wrong", "b is wrong"]
    assert body["text"] == message.body
    assert set(AlertDigest.objects.values_list("state", flat=True)) == {DigestState.DONE}


def test_nothing_is_told_twice(hook: Any) -> None:
    alert("a")
    for _ in range(3):
        digests.send_alerts()
        let_time_pass()
    assert (len(mail.outbox), len(hook.calls)) == (1, 1)


def test_messages_are_not_more_frequent_than_the_installation_wants(hook: Any) -> None:
    alert("a")
    digests.send_alerts()
    alert("b")
    alert("c")
    digests.send_alerts()
    assert len(mail.outbox) == 1
    let_time_pass()
    digests.send_alerts()
    assert [message.subject for message in mail.outbox[1:]] == ["Plugtill: b is wrong and 1 more"]


def test_what_has_just_come_up_or_is_over_is_not_told(hook: Any) -> None:
    alert("new", opened_at=timezone.now())
    alert("over", state=AlertState.RESOLVED)
    digests.send_alerts()
    assert mail.outbox == [] and not AlertDigest.objects.exists()


def test_a_channel_that_fails_is_tried_again_and_the_other_is_not(monkeypatch: Any, hook: Any) -> None:
    hook.replace("POST", HOOK, status=500)
    alert("a")
    digests.send_alerts()
    failed = AlertDigest.objects.get(channel="WEBHOOK")
    assert (failed.state, failed.attempts) == (DigestState.PENDING, 1)
    assert "HTTP 500" in failed.last_error and failed.not_before > timezone.now()
    hook.replace("POST", HOOK, status=200)
    AlertDigest.objects.update(not_before=timezone.now())
    digests.send_alerts()
    failed.refresh_from_db()
    assert failed.state == DigestState.DONE
    assert len(mail.outbox) == 1
    first, second = (call.request.body for call in hook.calls)
    assert first == second


def test_a_mail_server_that_is_away_harms_nothing_else(monkeypatch: Any, hook: Any) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError("no mail today")

    monkeypatch.setattr(channels.EmailMessage, "send", away)
    alert("a")
    digests.send_alerts()
    assert len(hook.calls) == 1
    assert "no mail today" in AlertDigest.objects.get(channel="EMAIL").last_error


def test_a_channel_that_fails_for_a_day_is_given_up(hook: Any) -> None:
    hook.replace("POST", HOOK, status=500)
    alert("a")
    digests.send_alerts()
    long_ago = timezone.now() - digests.GIVE_UP_AFTER - timedelta(minutes=1)
    AlertDigest.objects.update(created_at=long_ago, not_before=timezone.now())
    digests.send_alerts()
    assert AlertDigest.objects.get(channel="WEBHOOK").state == DigestState.GIVEN_UP


def test_a_message_that_another_process_sends_is_left_to_it_until_it_died(hook: Any) -> None:
    alert("a")
    digests.write_digest(timezone.now())
    AlertDigest.objects.update(state=DigestState.IN_FLIGHT, claimed_at=timezone.now())
    digests.send_alerts()
    assert mail.outbox == []
    AlertDigest.objects.update(claimed_at=timezone.now() - digests.CLAIM_LIFETIME - timedelta(seconds=1))
    digests.send_alerts()
    assert len(mail.outbox) == 1


def test_without_a_target_alerts_stand_in_admin_only(settings: Any) -> None:
    settings.ALERT_EMAILS, settings.ALERT_WEBHOOK_URL = [], ""
    alert("a")
    digests.send_alerts()
    assert not AlertDigest.objects.exists() and mail.outbox == []


def test_the_webhook_goes_to_judged_addresses_only(settings: Any) -> None:
    settings.PEERS_ALLOW_PRIVATE_ADDRESSES = False
    settings.ALERT_EMAILS = []
    alert("a")
    digests.send_alerts()
    assert "private network" in AlertDigest.objects.get().last_error
