"""A push in flight whose worker died is sent again: at once on the worker's host, else when its time is over."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from roaming.choices import Module, PushState
from roaming.models import Push
from roaming.services import push, push_claims
from tests.roaming.factories import DocumentFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")


@pytest.fixture
def flying() -> Push:
    document = DocumentFactory()
    push.enqueue_state(document.platform, Module.LOCATIONS, document.path)
    row = push.claim(Push.objects.get().pk)
    assert row is not None
    return row


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


@pytest.mark.parametrize("name", ["", "elsewhere/1/2", "odd", "a/b/c/d", "x//"])
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

    def claim(push_id: int) -> bool:
        try:
            start.wait(20)
            return push.claim(push_id) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(claim, Push.objects.values_list("pk", flat=True)))
    assert claimed.count(True) == push_claims.share()
