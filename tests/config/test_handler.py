"""How Django runs below ASGI."""

import asyncio
import threading
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
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


urlpatterns = [path("", view)]


async def answer_of(application: Any) -> bytes:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"testserver")]}
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output()
    assert start["status"] == 200
    body: bytes = (await communicator.receive_output())["body"]
    return body


def test_middlewares_and_view_share_a_thread_that_is_not_the_loops(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.outer", f"{__name__}.Inner", f"{__name__}.outer"]
    threads.clear()
    assert asyncio.run(answer_of(OneThreadHandler())) == b"done"
    assert len(threads) == 4
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads
