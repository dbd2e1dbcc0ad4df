"""What every OCPP version can do for us, in neutral words, and how a call to a charger ends."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils import timezone
from ocpp.exceptions import NotImplementedError as ActionNotImplemented
from ocpp.exceptions import NotSupportedError, OCPPError

from chargers.choices import CallAction, CallResult
from chargers.services.calls import ClaimedCall

logger = logging.getLogger(__name__)

Json = dict[str, Any]


class NotSent(Exception):
    """The socket had gone before the frame was on it: the charger cannot have heard of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a call, and the charger's answer as it came or the error in words."""

    result: CallResult
    answer: Json


class Adapter(Protocol):
    """One charger on one socket.

    `is_proven`: it has shown a secret at the handshake, not just said who it is.
    """

    is_proven: bool

    async def handle(self, frame: str) -> None:
        """Takes a frame from the charger: answers a request, or completes a call of ours."""

    async def start_transaction(self, evse_number: int, id_tag: str, start_id: int) -> Outcome:
        """`start_id` is the call's: versions that have a remote start id repeat it in the transaction."""

    async def stop_transaction(self, transaction_id: str) -> Outcome: ...

    async def reserve(self, wanted: Json) -> Outcome:
        """`wanted` is the payload of the call: see `chargers.services.reserving`."""

    async def cancel_reservation(self, reservation_id: int) -> Outcome: ...

    async def unlock_connector(self, evse_number: int) -> Outcome: ...

    async def set_charging_profile(self, wanted: Json) -> Outcome:
        """`wanted` is the payload of the call: see `chargers.services.profiles`."""

    async def clear_charging_profile(self, profile_id: int) -> Outcome: ...

    async def get_composite_schedule(self, evse_number: int, seconds: int) -> Outcome:
        """The answer has `start` and `profile` (an OCPI ChargingProfile), both None without a limit."""

    async def request(self, action: str, payload: Json) -> Outcome:
        """Sends any CSMS-initiated request, named and shaped as in this OCPP version; the answer is as it came.

        An action that this version does not have is NOT_SUPPORTED, without asking the charger.
        """


async def perform(adapter: Adapter, call: ClaimedCall) -> Outcome:
    """Sends a call and waits for its end; whatever happens is an outcome. Raises NotSent if nothing happened."""
    remaining = (call.expires_at - timezone.now()).total_seconds()
    try:
        async with asyncio.timeout(remaining):
            return await _send(adapter, call)
    except TimeoutError:
        return Outcome(CallResult.TIMEOUT, {"reason": "The charger did not answer in time."})
    except NotSent:
        raise
    except (NotSupportedError, ActionNotImplemented) as error:
        return Outcome(CallResult.NOT_SUPPORTED, _in_words(error))
    except OCPPError as error:
        return Outcome(CallResult.FAILED, _in_words(error))
    except Exception as error:
        logger.exception("call %s failed", call.id)
        return Outcome(CallResult.FAILED, {"reason": f"{type(error).__name__}: {error}"})


async def _send(adapter: Adapter, call: ClaimedCall) -> Outcome:
    payload = call.payload
    match call.action:
        case CallAction.START_TRANSACTION:
            return await adapter.start_transaction(payload["evse"], payload["id_tag"], call.id)
        case CallAction.STOP_TRANSACTION:
            return await adapter.stop_transaction(payload["transaction_id"])
        case CallAction.RESERVE_NOW:
            return await adapter.reserve(payload)
        case CallAction.CANCEL_RESERVATION:
            return await adapter.cancel_reservation(payload["reservation"])
        case CallAction.UNLOCK_CONNECTOR:
            return await adapter.unlock_connector(payload["evse"])
        case CallAction.SET_CHARGING_PROFILE:
            return await adapter.set_charging_profile(payload)
        case CallAction.CLEAR_CHARGING_PROFILE:
            return await adapter.clear_charging_profile(payload["profile_id"])
        case CallAction.GET_COMPOSITE_SCHEDULE:
            return await adapter.get_composite_schedule(payload["evse"], payload["duration"])
        case CallAction.OCPP:
            return await adapter.request(payload["action"], payload["payload"])


def _in_words(error: OCPPError) -> Json:
    return {"code": error.code, "description": error.description, "details": error.details}
