"""How Django runs below ASGI."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from config.handler import OneThreadHandler

threads: list[int] = []


class Inner:
    """Could be asynchronous, as those of other packages can."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        threads.append(threading.get_ident())
        return self.get_response(request)


def outer(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        threads.append(threading.get_ident())
        response: HttpResponse = get_response(request)
        return response

    return middleware


def view(request: HttpRequest) -> HttpResponse:
    threads.append(threading.get_ident())
    return HttpResponse("done")


def streaming(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_parts())


def _parts() -> Iterator[str]:
    told.append("made")
    yield "do"
    yield "ne"


def meeting(request: HttpRequest) -> HttpResponse:
    """Answers when two are there."""
    both.wait(20)
    return view(request)


urlpatterns = [path("", view), path("streaming", streaming), path("meeting", meeting)]
told: list[str] = []
both = threading.Barrier(2)


@pytest.fixture(autouse=True)
def handler(settings: Any) -> OneThreadHandler:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    threads.clear()
    told.clear()
    return OneThreadHandler()


def scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"testserver")]}


async def answer_of(application: Any, path: str = "/") -> bytes:
    communicator = ApplicationCommunicator(application, scope(path))
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output()
    assert start["status"] == 200
    told.append("sent")
    body, has_more = b"", True
    while has_more:
        part = await communicator.receive_output()
        body, has_more = body + part.get("body", b""), part.get("more_body", False)
    await communicator.wait()
    return body


@pytest.fixture
def signals() -> Iterator[None]:
    def started(**_: Any) -> None:
        told.append("started")
        threads.append(threading.get_ident())

    def finished(**_: Any) -> None:
        told.append("finished")
        threads.append(threading.get_ident())

    request_started.connect(started)
    request_finished.connect(finished)
    yield
    request_started.disconnect(started)
    request_finished.disconnect(finished)


def test_all_of_a_request_is_in_one_thread_that_is_not_the_loops(settings: Any, signals: None) -> None:
    settings.MIDDLEWARE = [f"{__name__}.outer", f"{__name__}.Inner", f"{__name__}.outer"]
    assert asyncio.run(answer_of(OneThreadHandler())) == b"done"
    assert len(threads) == 6
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_a_request_lets_go_of_its_connection_before_its_answer_is_sent(handler: Any, signals: None) -> None:
    asyncio.run(answer_of(handler))
    assert told == ["started", "finished", "sent"]


def test_an_answer_made_while_it_is_sent_ends_the_request_afterwards(handler: Any, signals: None) -> None:
    assert asyncio.run(answer_of(handler, "/streaming")) == b"done"
    assert told.index("made") < told.index("finished")
    assert told.index("sent") < told.index("finished")
    assert len(set(threads)) == 1


def test_one_after_the_other_takes_the_same_thread(handler: Any) -> None:
    async def two() -> None:
        await answer_of(handler)
        await answer_of(handler)

    asyncio.run(two())
    assert len(set(threads)) == 1


def test_two_at_once_take_two_threads(handler: Any) -> None:
    async def two() -> None:
        await asyncio.gather(answer_of(handler, "/meeting"), answer_of(handler, "/meeting"))

    asyncio.run(two())
    assert len(set(threads)) == 2


def test_no_more_threads_are_kept_than_are_wanted(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.handler.KEPT_THREADS", 1)

    async def two() -> None:
        await asyncio.gather(answer_of(handler, "/meeting"), answer_of(handler, "/meeting"))

    asyncio.run(two())
    assert len(handler._idle) == 1


def test_the_thread_of_a_cancelled_request_is_not_used_again(handler: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def cancelled() -> None:
        request = asyncio.create_task(handler(scope("/meeting"), receive, None))
        while not both.n_waiting:
            await asyncio.sleep(0.01)
        request.cancel()
        await asyncio.wait([request])
        assert request.cancelled()
        # The view still waits: in its thread the next request would wait, too.
        assert not handler._idle
        both.wait(20)

    asyncio.run(cancelled())
