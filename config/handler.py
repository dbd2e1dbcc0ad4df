"""How Django runs below ASGI: a request stays in one thread from its first signal to its last, and goes there once."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponse
from django.urls import set_script_prefix

# Threads kept for the next requests; more are made and ended with the requests that need them.
KEPT_THREADS = 20
# Room for the largest file that staff may import. Bodies are read, and kept on disk, before anything knows who sends.
LARGEST_BODY = 10 * 1024 * 1024


class OneThreadHandler(ASGIHandler):
    """Our middlewares and views are synchronous. Django would make several threads for a request, and go to them and
    back to the event loop for its signals, for each middleware that could be asynchronous, and for its end: each way
    takes about as long as all middlewares together."""

    # One write for a page of a list; uvicorn and the socket's own buffer hold what the client does not take at once.
    chunk_size = 2**20

    def __init__(self) -> None:
        super().__init__()
        self._idle: deque[ThreadPoolExecutor] = deque()
        self._respond_in_thread = sync_to_async(self._respond)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        is_free = False
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
            is_free = len(self._idle) < KEPT_THREADS
        finally:
            if is_free:
                self._idle.append(thread)
            else:  # one too many, or cancelled while it still runs
                thread.shutdown(wait=False)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """A view is not interrupted when its client leaves: no thread can be."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        except RequestDataTooBig:
            refusal = HttpResponse("This request is too large.", status=413, headers={"Connection": "close"})
            return await self.send_response(refusal, send)
        with closing(body_file):
            response = await self._respond_in_thread(scope, body_file)
            await self.send_response(response, send)
            if response.streaming:
                await sync_to_async(response.close)()

    async def read_body(self, receive: Any) -> IO[bytes]:
        """Raises RequestDataTooBig."""
        received = 0

        async def receive_bounded() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise RequestDataTooBig
            return message

        body: IO[bytes] = await super().read_body(receive_bounded)
        return body

    def _respond(self, scope: Any, body_file: IO[bytes]) -> Any:
        """All of a request but sending, unless its answer is made while it is sent."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        response: Any
        request, response = self.create_request(scope, body_file)
        if request is not None:
            response = self.get_response(request)
            response._handler_class = self.__class__
        if not response.streaming:
            # Its database connection is for others from here on.
            response.close()
        return response
