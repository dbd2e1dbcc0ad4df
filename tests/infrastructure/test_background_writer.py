"""Items are written in batches by a thread that nobody waits for."""

import os
import threading
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from infrastructure import background
from infrastructure.background import BackgroundWriter

PATIENCE = 10.0


class Store:
    """What was written; `failures` are raised first, `gate` holds back every batch while it is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failures: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.written = threading.Condition()

    def write(self, items: list[int]) -> None:
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop(0)
        with self.written:
            self.batches.append(items)
            self.written.notify_all()

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def wait_for(self, count: int) -> list[int]:
        with self.written:
            assert self.written.wait_for(lambda: len(self.items) >= count, PATIENCE)
        return self.items


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def writer(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[BackgroundWriter[int]]:
    monkeypatch.setattr(background, "INTERVAL", 0.01)
    monkeypatch.setattr(background, "RETRY_AFTER", 0.01)
    writer = BackgroundWriter(store.write, max_items=500, max_bytes=1_000_000)
    yield writer
    store.gate.set()
    writer.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "background-writer"]


def test_items_are_written_in_order_and_in_batches(writer, store):
    store.gate.clear()
    for number in range(450):
        writer.put(number, 1)
    store.gate.set()
    assert store.wait_for(450) == list(range(450))
    assert max(len(batch) for batch in store.batches) <= background.BATCH


def test_put_does_not_wait_for_a_slow_database(writer, store):
    store.gate.clear()
    writer.put(0, 1)
    assert store.entered.wait(PATIENCE)
    writer.put(1, 1)  # would never return
    assert store.items == []


def test_the_oldest_make_room_and_are_counted(writer, store, caplog):
    store.gate.clear()
    writer.put(-1, 1)
    assert store.entered.wait(PATIENCE)  # -1 is in the writer's hands
    for number in range(600):
        writer.put(number, 1)
    store.gate.set()
    assert store.wait_for(501) == [-1, *range(100, 600)]
    writer.close()
    assert "100 messages are missing" in caplog.text


def test_large_items_make_room_by_their_size(writer, store):
    writer.is_threaded = False
    for number in range(4):
        writer.put(number, 400_000)
    writer.flush()
    assert store.items == [2, 3]


def test_what_a_database_without_connection_refused_is_written_later(writer, store, caplog):
    store.failures = [OperationalError("the connection is lost")]
    writer.put(1, 1)
    assert store.wait_for(1) == [1]
    assert "the connection is lost" in caplog.text


def test_a_batch_that_cannot_be_written_does_not_stop_the_next(writer, store, caplog):
    store.failures = [ValueError("no row")]
    writer.put(1, 1)
    assert store.entered.wait(PATIENCE)
    writer.close()
    writer.put(2, 1)
    assert store.wait_for(1) == [2]
    assert "1 messages could not be written" in caplog.text


def test_closing_writes_what_waits(writer, store, monkeypatch):
    monkeypatch.setattr(background, "INTERVAL", 3600)
    writer.put(1, 1)
    writer.close()
    assert store.items == [1]


def test_a_forked_process_begins_with_an_empty_queue_of_its_own(writer):
    writer.is_threaded = False
    writer.put(1, 1)
    child = os.fork()
    if child == 0:
        os._exit(len(writer._items) + (writer._thread is not None))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(writer._items) == 1
    writer.flush()
