"""Messages on their way to the back office, in order.

Transaction messages stay until they are answered and survive an interruption (OCPP 1.6 §3.7.1); status
notifications of the past are worth nothing after one and go.
"""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any

from ocpp.v16 import call

TRANSACTION_KINDS = {"StartTransaction", "MeterValues", "StopTransaction"}


@dataclass
class Message:
    """One request. `local_id` is the transaction it belongs to, "" for none; `action` where it is not the kind."""

    kind: str
    payload: dict[str, Any]
    local_id: str = ""
    attempts: int = 0
    action: str = ""

    @property
    def durable(self) -> bool:
        return self.kind in TRANSACTION_KINDS


@dataclass
class Outgoing:
    """The queue, and the ids the back office has given to our transactions."""

    messages: list[Message] = field(default_factory=list)
    transaction_ids: dict[str, Any] = field(default_factory=dict)
    call: Any = call
    """The library's requests of the OCPP version that is spoken."""
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self._filled.set()

    async def head(self) -> Message:
        """Waits for the oldest message and leaves it in the queue."""
        while not self.messages:
            self._filled.clear()
            await self._filled.wait()
        return self.messages[0]

    def settle(self, message: Message) -> None:
        """Forgets a message that was answered or given up, and what can never be sent without it."""
        self.messages = [other for other in self.messages if other is not message]
        if message.kind == "StopTransaction":
            self._forget_finished(message.local_id)

    def abandon(self, local_id: str) -> int:
        """Drops what is left of a transaction the back office refused to learn of; says how much."""
        kept = [message for message in self.messages if message.local_id != local_id]
        dropped, self.messages = len(self.messages) - len(kept), kept
        return dropped

    def forget_status(self) -> None:
        self.messages = [message for message in self.messages if message.durable]

    def request(self, message: Message) -> Any:
        """The message as a request of the ocpp library, with the transaction id as far as it is known."""
        payload = dict(message.payload)
        if message.action:
            return getattr(self.call, message.action)(**payload)
        if message.kind in {"MeterValues", "StopTransaction"} and message.local_id:
            payload["transaction_id"] = self.transaction_ids[message.local_id]
        return getattr(self.call, message.kind)(**payload)

    def local_id(self, transaction_id: Any) -> str | None:
        """Our name for the back office's transaction."""
        found = (local for local, given in self.transaction_ids.items() if given == transaction_id)
        return next(found, None)

    def _forget_finished(self, local_id: str) -> None:
        # Meter values that come late still need the id after the stop.
        if not any(message.local_id == local_id for message in self.messages):
            self.transaction_ids.pop(local_id, None)

    def snapshot(self) -> dict[str, Any]:
        durable = [asdict(message) for message in self.messages if message.durable]
        return {"messages": durable, "transaction_ids": self.transaction_ids}

    def restore(self, kept: dict[str, Any]) -> None:
        self.messages = [Message(**message) for message in kept["messages"]]
        self.transaction_ids = dict(kept["transaction_ids"])
        self._filled.set()
