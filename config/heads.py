"""Heads of requests that are too large are refused at once: uvicorn's own protocol keeps an endless one in memory, and
never answers a websocket handshake that its library refuses, such as one with a header of more than 8 KB."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Twice what servers and proxies usually take; one receive of 256 KB may come on top.
LONGEST_HEAD = 64 * 1024
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    _is_in_head = False
    _received = 0

    def on_message_begin(self) -> None:
        self._is_in_head, self._received = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._received += len(data)
        if self._is_in_head and self._received > LONGEST_HEAD:
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        handshake: Any = self.transport.get_protocol()
        if refusal := b"".join(handshake.conn.data_to_send()):
            self.transport.write(refusal)
            self.transport.close()
