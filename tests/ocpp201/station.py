"""A charging station's end of a websocket, speaking OCPP 2.0.1 to the ASGI application."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from tests.chargers.charger_socket import ChargerSocket

TRANSACTION = "0e2c6f4e-4a2b-4b7a-9d53-9d1a63a1f1c2"


class Station(ChargerSocket):
    """Numbers its events; `began` is the instant from which `minutes` count."""

    def __init__(self, identity: str, **options: Any) -> None:
        super().__init__(identity, **{"subprotocols": ["ocpp2.0.1"], **options})
        self.seq_no = count()
        self.began = timezone.now() - timedelta(hours=1)

    async def open(self) -> "Station":
        assert await self.connect() == {"type": "websocket.accept", "subprotocol": "ocpp2.0.1"}
        unique_id = await self.post("Heartbeat")
        while (frame := await self.frame())[1] != unique_id:
            self._early.append(frame)
        return self

    def at(self, minutes: float) -> str:
        return (self.began + timedelta(minutes=minutes)).isoformat()

    def event(
        self,
        kind: str,
        trigger: str,
        minutes: float,
        *,
        wh: float | None = None,
        state: str | None = None,
        tag: str | None = None,
        seq_no: int | None = None,
        transaction_id: str = TRANSACTION,
        reason: str | None = None,
        start_id: int | None = None,
        samples: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A TransactionEventRequest; `wh` is the register."""
        info = {
            "transactionId": transaction_id,
            "chargingState": state,
            "stoppedReason": reason,
            "remoteStartId": start_id,
        }
        payload = {
            "eventType": kind,
            "timestamp": self.at(minutes),
            "triggerReason": trigger,
            "seqNo": next(self.seq_no) if seq_no is None else seq_no,
            "transactionInfo": {name: value for name, value in info.items() if value is not None},
            **more,
        }
        if wh is not None:
            samples = [{"value": wh, "measurand": "Energy.Active.Import.Register"}]
        if samples is not None:
            payload["meterValue"] = [{"timestamp": self.at(minutes), "sampledValue": samples}]
        if tag is not None:
            payload["idToken"] = {"idToken": tag, "type": "Central"}
        return payload

    async def tell(self, *event: Any, **more: Any) -> dict[str, Any]:
        """Sends a TransactionEvent; gives its answer."""
        return await self.ask("TransactionEvent", **self.event(*event, **more))

    async def status(self, status: str, *, evse: int = 1, connector: int = 1) -> None:
        now = datetime.now(UTC).isoformat()
        await self.ask("StatusNotification", timestamp=now, connectorStatus=status, evseId=evse, connectorId=connector)
