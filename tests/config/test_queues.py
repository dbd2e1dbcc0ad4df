"""Whatever waits for partners has workers of its own."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import shared_task
from celery.worker import state
from django.conf import settings as django_settings

from config.celery import PEERS, WORK, app, worker_options
from config.embedded import BackgroundWorkers

TALKING = {
    "roaming.tasks.deliver_pushes",
    "roaming.tasks.probe_platform",
    "roaming.tasks.run_pull",
    "config.tasks.send_alerts",
    "infrastructure.tasks.note_peers_pulse",
}


def queue_of(task: str) -> str:
    return app.amqp.router.route({}, task)["queue"].name


def test_what_talks_to_partners_is_kept_apart_from_all_else() -> None:
    app.loader.import_default_modules()
    tasks = {name for name in app.tasks if not name.startswith(("celery.", "tests."))}
    assert tasks >= TALKING
    assert {name for name in tasks if queue_of(name) == PEERS} == TALKING
    assert {queue_of(name) for name in django_settings.CELERY_BEAT_SCHEDULE} == {WORK, PEERS}


def test_a_worker_that_is_told_nothing_leaves_no_queue_out() -> None:
    assert set(app.amqp.Queues(app.conf.task_queues)) == {WORK, PEERS}


def test_each_queue_has_a_worker_of_its_own_name_and_size(settings: Any) -> None:
    settings.WORKER_CONCURRENCY, settings.PEER_CONCURRENCY = 3, 5
    assert worker_options(WORK)[1:7] == ["--queues", "work", "--hostname", "work@%h", "--concurrency", "3"]
    assert worker_options(PEERS)[1:7] == ["--queues", "peers", "--hostname", "peers@%h", "--concurrency", "5"]


def test_no_worker_waits_for_news_of_others() -> None:
    """It may stop for ever when Redis comes back; those of the container begin as those of `serve` do."""
    entrypoint = (Path(__file__).parents[2] / "docker" / "entrypoint").read_text()
    for option in ("--without-gossip", "--without-mingle", "--without-heartbeat"):
        assert option in worker_options(WORK) and option in worker_options(PEERS) and option in entrypoint


is_blocked, may_go_on, has_worked = threading.Event(), threading.Event(), threading.Event()


@shared_task(name="tests.queues.wait_for_a_partner")
def wait_for_a_partner() -> None:
    is_blocked.set()
    may_go_on.wait(20)


@shared_task(name="tests.queues.work")
def work() -> None:
    has_worked.set()


@pytest.fixture
def workers(monkeypatch: Any, settings: Any) -> Iterator[None]:
    for event in (is_blocked, may_go_on, has_worked):
        event.clear()
    settings.WORKER_CONCURRENCY, settings.PEER_CONCURRENCY = 1, 1
    monkeypatch.setattr(state, "should_stop", None)
    monkeypatch.setattr(BackgroundWorkers, "_run_beat", lambda self: self._is_stopping.wait())
    running = BackgroundWorkers()
    running.start()
    yield
    may_go_on.set()
    assert running.stop()


@pytest.mark.skipif(not django_settings.EMBEDDED, reason="the broker of the embedded profile")
def test_work_goes_on_while_every_thread_for_partners_waits(workers: None) -> None:
    for _ in range(3):
        app.send_task("tests.queues.wait_for_a_partner", queue=PEERS)
    assert is_blocked.wait(20)
    app.send_task("tests.queues.work", queue=WORK)
    assert has_worked.wait(20)
    assert not may_go_on.is_set()
