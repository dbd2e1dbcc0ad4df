"""A push in flight whose worker died is sent again: at once on the worker's host, else when its time is over."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from roaming.choices import Module, PushState
from roaming.models import Push, RoamingPlatform
from roaming.services import push, push_claims
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")


@pytest.fixture
def flying() -> Push:
    document = DocumentFactory()
    push.enqueue_state(document.platform, Module.LOCATIONS, document.path)
    row = push.claim_next(Push.objects.get().platform_id)
    assert row is not None
    return row


@pytest.fixture
def platform() -> RoamingPlatform:
    return RegisteredPlatformFactory()


def claimed_of(platform: RoamingPlatform) -> list[str]:
    """The modules of all that may be on its way at the same time, in the order in which it is taken."""
    claimed = []
    while one := push.claim_next(platform.pk):
        claimed.append(one.module)
    return claimed


def name_of(process: "subprocess.Popen[bytes]") -> str:
    return push_claims.worker_name().replace(f"/{os.getpid()}/", f"/{process.pid}/").rpartition("/")[0] + (
        f"/{push_claims._started(process.pid)}"
    )


@needs_proc
def test_the_claim_of_a_worker_that_was_killed_is_free_at_the_next_sweep(flying: Push) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        Push.objects.update(claimed_by=name_of(worker))
        push.sweep()
        assert Push.objects.get().state == PushState.IN_FLIGHT
        worker.kill()
        worker.wait()
    push.sweep()
    assert Push.objects.get().state == PushState.PENDING


@needs_proc
def test_another_process_with_the_same_number_does_not_hold_the_claim(flying: Push) -> None:
    Push.objects.update(claimed_by=push_claims.worker_name() + "0")
    push.sweep()
    assert Push.objects.get().state == PushState.PENDING


@needs_proc
@pytest.mark.parametrize("part", ["host", "kernel", "namespace"])
def test_a_worker_of_another_house_keeps_its_claim(flying: Push, part: str) -> None:
    """A container beside ours may have our host name, and a machine beside ours containers of the same numbers."""
    names = ["host", "kernel", "namespace", "process", "start"]
    values = dict(zip(names, push_claims.worker_name().split("/"), strict=True))
    assert all(values.values())
    # There, our number is that of a process that began at another time.
    gone = values | {"start": "1"}
    assert push_claims.is_gone("/".join(gone.values()))
    Push.objects.update(claimed_by="/".join((gone | {part: "another"}).values()))
    push.sweep()
    assert Push.objects.get().state == PushState.IN_FLIGHT


def test_without_proc_no_claim_is_judged(flying: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_claims.os, "readlink", _no_proc)
    Push.objects.update(claimed_by=f"{push_claims._house()}/{os.getpid()}/1")
    push.sweep()
    assert Push.objects.get().state == PushState.IN_FLIGHT


def _no_proc(path: str) -> str:
    raise FileNotFoundError(path)


@pytest.mark.parametrize("name", ["", "elsewhere/1/2", "odd", "a/b/c/d", "a/b/c/d/e", "x//"])
def test_a_worker_that_cannot_be_judged_keeps_its_claim(flying: Push, name: str) -> None:
    Push.objects.update(claimed_by=name)
    push.sweep()
    assert Push.objects.get().state == PushState.IN_FLIGHT


def test_our_own_claim_stays(flying: Push) -> None:
    assert flying.claimed_by == "" or flying.claimed_by == push_claims.worker_name()
    push.sweep()
    assert Push.objects.get().state == PushState.IN_FLIGHT


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_moment_keep_to_the_partners_share(settings: Any) -> None:
    settings.PEER_CONCURRENCY = 8
    platform = RegisteredPlatformFactory()
    for number in range(8):
        with transaction.atomic():
            push.enqueue_state(platform, Module.LOCATIONS, f"AT/PLG/L{number}")
    start = threading.Barrier(8)

    def claim(_: int) -> int | None:
        try:
            start.wait(20)
            claimed = push.claim_next(platform.pk)
            return claimed and claimed.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        claimed = [pk for pk in threads.map(claim, range(8)) if pk]
    assert len(claimed) == len(set(claimed)) == push_claims.share()


def test_a_command_result_goes_before_a_backlog(platform: RoamingPlatform) -> None:
    for number in range(5):
        push.enqueue_state(platform, Module.LOCATIONS, f"AT/PLG/L{number}", sequence="infrastructure")
    push.enqueue(platform, Module.COMMANDS, "result", body={"result": "ACCEPTED"}, url="https://peer.example/result")
    urgent = Push.objects.get(module=Module.COMMANDS)
    assert push.claim_next(platform.pk) == urgent


def test_a_session_goes_before_its_cdr_even_when_queued_again_later(platform: RoamingPlatform) -> None:
    push.enqueue(platform, Module.CDRS, "AT/PLG/C", sequence="session S")
    push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S", sequence="session S")
    assert claimed_of(platform) == [Module.SESSIONS]


def test_what_the_oldest_wait_for_gets_its_turn_however_many_they_are(
    platform: RoamingPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_claims, "LOOKED_AT", 2)
    for number in range(3):
        push.enqueue(platform, Module.CDRS, f"AT/PLG/C{number}", sequence="session S")
    push.enqueue_state(platform, Module.SESSIONS, "AT/PLG/S", sequence="session S")
    assert claimed_of(platform) == [Module.SESSIONS]


def test_what_waits_for_its_own_object_takes_no_turn(platform: RoamingPlatform) -> None:
    push.enqueue_state(platform, Module.LOCATIONS, "AT/PLG/A", sequence="infrastructure")
    Push.objects.update(state=PushState.IN_FLIGHT, claimed_at=timezone.now())
    push.enqueue_state(platform, Module.LOCATIONS, "AT/PLG/A", sequence="infrastructure")
    push.enqueue_state(platform, Module.LOCATIONS, "AT/PLG/B", sequence="infrastructure")
    claimed = push.claim_next(platform.pk)
    assert claimed and claimed.object_id == "AT/PLG/B"
    assert push.claim_next(platform.pk) is None


def test_a_tariff_that_changes_while_it_waits_keeps_its_place(platform: RoamingPlatform) -> None:
    push.enqueue_state(platform, Module.TARIFFS, "AT/PLG/T", sequence="infrastructure", keeps_place=True)
    push.enqueue_state(platform, Module.LOCATIONS, "AT/PLG/A", sequence="infrastructure")
    push.enqueue_state(platform, Module.TARIFFS, "AT/PLG/T", sequence="infrastructure", keeps_place=True)
    assert claimed_of(platform) == [Module.TARIFFS]
