"""What Plugtill is compared with: a central system of the `ocpp` and `websockets` libraries, as their own
documentation writes it. It answers everything with yes and keeps nothing.

    python -m benchmarks.ocpp_bare PORT
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from itertools import count
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets import ServerConnection, Subprotocol, serve

_numbers = count(1)


class BareChargePoint(ChargePoint):
    @on(Action.boot_notification)
    def on_boot(self, **told: Any) -> Any:
        return call_result.BootNotification(current_time=_now(), interval=60, status=RegistrationStatus.accepted)

    @on(Action.heartbeat)
    def on_heartbeat(self, **told: Any) -> Any:
        return call_result.Heartbeat(current_time=_now())

    @on(Action.status_notification)
    def on_status(self, **told: Any) -> Any:
        return call_result.StatusNotification()

    @on(Action.start_transaction)
    def on_start(self, **told: Any) -> Any:
        accepted = IdTagInfo(status=AuthorizationStatus.accepted)
        return call_result.StartTransaction(transaction_id=next(_numbers), id_tag_info=accepted)

    @on(Action.meter_values)
    def on_meter_values(self, **told: Any) -> Any:
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    def on_stop(self, **told: Any) -> Any:
        return call_result.StopTransaction()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _take(connection: ServerConnection) -> None:
    assert connection.request is not None
    await BareChargePoint(connection.request.path.strip("/"), connection).start()


async def _serve(port: int) -> None:
    async with serve(_take, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        await server.serve_forever()


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # connections that end without a word
    asyncio.run(_serve(int(sys.argv[1])))
