"""The embedded broker wakes its consumer by news alone: a worker waits for nothing else."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue

from config import broker

QUEUE = Queue("test-broker", routing_key="test-broker")


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    # Long enough that a lost wake-up shows as a test that fails, not as one that is slow.
    monkeypatch.setattr(broker, "LONGEST_WAIT", 10.0)
    with Connection("memory://localhost/", transport="config.broker:Transport") as connection:
        assert isinstance(connection.transport, broker.Transport)
        yield connection
    broker.Channel.queues.pop(QUEUE.name, None)


def publish(text: str) -> None:
    with Connection("memory://localhost/").Producer() as producer:
        producer.publish(text, routing_key=QUEUE.name, declare=[QUEUE])


@pytest.fixture
def received(connection: Connection) -> Iterator[list[Any]]:
    """Messages as they come; the consumer takes the next only after it has acknowledged the last."""
    messages: list[Any] = []
    with Consumer(connection, [QUEUE], on_message=messages.append) as consumer:
        consumer.qos(prefetch_count=1)
        yield messages


def test_a_message_from_another_thread_ends_the_wait(connection: Connection, received: list[Any]) -> None:
    later = threading.Timer(0.1, publish, ["hello"])
    later.start()
    connection.drain_events()
    assert [message.payload for message in received] == ["hello"]
    later.join()


def test_an_acknowledgement_from_another_thread_ends_the_wait(connection: Connection, received: list[Any]) -> None:
    publish("first")
    publish("second")
    connection.drain_events()
    later = threading.Timer(0.1, received[0].ack)
    later.start()
    connection.drain_events()
    assert [message.payload for message in received] == ["first", "second"]
    later.join()


def test_a_wait_without_news_ends(connection: Connection, received: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "LONGEST_WAIT", 0.01)
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=2.0)
    assert received == []
