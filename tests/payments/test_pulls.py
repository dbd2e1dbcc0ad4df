"""Terminals and advices are fetched from the PTP (DirectPayment 5.1.1.1 and 5.2.1.1)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.choices import PlatformType
from roaming.models import Pull
from roaming.services import pulls
from tests.payments import factories
from tests.roaming.peer import FakePeer, envelope, running_peer

TERMINALS = "/2.2.1/payments/terminals"
ADVICES = "/2.2.1/payments/financial-advice-confirmations"


@pytest.fixture
def peer(platform: Any) -> Iterator[FakePeer]:
    """The PTP itself, with one terminal and one advice, each beside something unreadable."""
    with running_peer() as peer:
        peer.accepted.add("client-token")
        peer.answers["GET", TERMINALS] = 200, envelope([{"city": "Wien"}, {"terminal_id": "T1"}, "what?"])
        peer.answers["GET", ADVICES] = 200, envelope([factories.advice_body(), {"id": "A2"}])
        factories.list_payments(platform, f"{peer.url}/2.2.1/payments")
        yield peer


def run_all(platform: Any) -> dict[str, Pull]:
    pulls.start_pulls(platform.pk)
    for pull in Pull.objects.all():
        pulls.run(pull.pk)
    return {pull.source: pull for pull in Pull.objects.all()}


def test_after_a_registration_all_that_the_ptp_holds_is_fetched(platform: Any, peer: FakePeer) -> None:
    run_all(platform)
    assert Terminal.objects.get().terminal_id == "T1"
    assert FinancialAdviceConfirmation.objects.get().advice_id == "A1"


def test_a_bad_object_is_skipped_and_reported(platform: Any, peer: FakePeer) -> None:
    terminals = run_all(platform)["terminals"]
    assert (terminals.last_received, terminals.last_error) == (1, "")
    assert len(terminals.last_problems) >= 1
    assert "terminal_id" in terminals.last_problems[0]


def test_fetching_again_changes_nothing(platform: Any, peer: FakePeer) -> None:
    run_all(platform)
    run_all(platform)
    assert (Terminal.objects.count(), FinancialAdviceConfirmation.objects.count()) == (1, 1)


def test_the_next_run_asks_for_what_changed_with_an_overlap(platform: Any, peer: FakePeer) -> None:
    advices = run_all(platform)["financial advices"]
    assert advices.high_water is not None
    pulls.request_pull(advices, whole=False)
    pulls.run(advices.pk)
    asked = [request.path for request in peer.requests if request.path.startswith(ADVICES)]
    bound = (advices.high_water - pulls.OVERLAP).strftime("%Y-%m-%dT%H")
    assert "date_from" not in asked[0]
    assert f"date_from={bound}" in asked[1].replace("%3A", ":")


def test_a_failing_list_does_not_hide_the_other_and_is_tried_again_soon(platform: Any, peer: FakePeer) -> None:
    peer.answers["GET", TERMINALS] = 500, envelope(None, 3000, "down")
    terminals = run_all(platform)["terminals"]
    assert FinancialAdviceConfirmation.objects.exists()
    assert terminals.last_error and terminals.claimed_at is None
    assert terminals.next_run_at <= timezone.now() + pulls.RETRY_AFTER


def test_a_failed_run_keeps_the_bound(platform: Any, peer: FakePeer) -> None:
    before = run_all(platform)["financial advices"]
    peer.answers["GET", ADVICES] = 500, envelope(None, 3000, "down")
    pulls.request_pull(before, whole=False)
    pulls.run(before.pk)
    after = Pull.objects.get(pk=before.pk)
    assert after.high_water == before.high_water
    assert after.last_error


def test_a_run_that_is_not_due_or_runs_elsewhere_does_nothing(platform: Any, peer: FakePeer) -> None:
    pull = run_all(platform)["terminals"]
    asked = len(peer.requests)
    pulls.run(pull.pk)
    Pull.objects.filter(pk=pull.pk).update(next_run_at=timezone.now(), claimed_at=timezone.now())
    pulls.run(pull.pk)
    assert len(peer.requests) == asked


def test_the_claim_of_a_dead_worker_is_released(platform: Any, peer: FakePeer) -> None:
    pull = run_all(platform)["terminals"]
    long_ago = timezone.now() - pulls.CLAIM_LIFETIME - timedelta(minutes=1)
    Pull.objects.filter(pk=pull.pk).update(claimed_at=long_ago)
    pulls.wake_due()
    assert Pull.objects.get(pk=pull.pk).claimed_at is None


def test_other_kinds_of_platforms_are_not_asked(platform: Any, peer: FakePeer) -> None:
    type(platform).objects.filter(pk=platform.pk).update(type=PlatformType.HUB)
    assert not {"terminals", "financial advices"} & set(run_all(platform))
    assert not [request for request in peer.requests if "payments" in request.path]
