"""Requests that are too large, or come too slowly, are ended: uvicorn's own protocol keeps an endless head in memory,
waits for ever, and never answers a websocket handshake that its library refuses, such as one with a header of 8 KB."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Twice what servers and proxies usually take.
LONGEST_HEAD = 64 * 1024
# A request has so many seconds, and one more for each `SLOWEST` bytes that came: whoever sends byte by byte to keep
# connections open is let go, a large file over a bad line is not.
PATIENCE_S = 30.0
SLOWEST = 4096

TOO_LARGE = b"431 Request Header Fields Too Large"
TOO_SLOW = b"408 Request Timeout"


class BoundedRequests(HttpToolsProtocol):
    # Of the request that is read or awaited: the fields of its head so far, and what came, without the receive in which
    # it began if there was something before it in that one.
    _head_size = 0
    _received = 0
    _came_alone = 0
    _is_in_head = _is_complete = True
    _is_too_large = False

    _began = 0.0
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        self._came_alone = len(data) if self._is_complete else 0
        super().data_received(data)
        if self._is_in_head and self._received > LONGEST_HEAD:
            self._end(TOO_LARGE)
        elif self._clock is None and self._is_idle():
            self._start_clock()  # empty lines before a head

    def on_message_begin(self) -> None:
        self._head_size, self._received, self._came_alone = 0, self._came_alone, 0
        self._is_in_head, self._is_complete = True, False
        self._start_clock()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._measure(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._measure(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_complete = True
        self._stop_clock()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self._end(TOO_LARGE)
        else:
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        self._stop_clock()
        super().handle_websocket_upgrade()
        handshake: Any = self.transport.get_protocol()
        if refusal := b"".join(handshake.conn.data_to_send()):
            self.transport.write(refusal)
            self.transport.close()

    def _is_idle(self) -> bool:
        is_ours = self.transport.get_protocol() is self  # no websocket by now
        return is_ours and (self.cycle is None or self.cycle.response_complete)

    def _measure(self, *parts: bytes) -> None:
        """Each part with its two signs, such as a colon and a blank. What is raised here, the parser ends with."""
        self._head_size += sum(len(part) + 2 for part in parts)
        self._is_too_large = self._head_size > LONGEST_HEAD
        if self._is_too_large:
            raise ValueError

    def _start_clock(self) -> None:
        self._stop_clock()
        self._began = self.loop.time()
        self._clock = self.loop.call_later(PATIENCE_S, self._look_at_clock)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _look_at_clock(self) -> None:
        if self.flow.read_paused:  # who is slow is we
            return self._start_clock()
        left = self._began + PATIENCE_S + self._received / SLOWEST - self.loop.time()
        if left > 0:
            self._clock = self.loop.call_later(left, self._look_at_clock)
        else:
            self._end(TOO_SLOW)
        return None

    def _end(self, why: bytes) -> None:
        is_answered = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        has_come = self._received or self._head_size
        # Browsers open connections in advance and may never use them.
        if has_come and not is_answered and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + why + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
