"""What we ask of an OCPP 1.6 charger, and its answers as outcomes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from enum import Enum
from typing import Any

from ocpp.charge_point import camel_to_snake_case, remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.v16 import ChargePoint, call
from ocpp.v16.enums import (
    CancelReservationStatus,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingProfileStatus,
    ClearChargingProfileStatus,
    GetCompositeScheduleStatus,
    RemoteStartStopStatus,
    ReservationStatus,
    UnlockStatus,
)

from chargers.choices import CallResult
from chargers.ocpp.adapter import Outcome
from chargers.ocpp.meter_values import read_instant

Json = dict[str, Any]
Results = Mapping[Enum, CallResult]

REMOTE: Results = {
    RemoteStartStopStatus.accepted: CallResult.ACCEPTED,
    RemoteStartStopStatus.rejected: CallResult.REJECTED,
}
RESERVATION: Results = {
    ReservationStatus.accepted: CallResult.ACCEPTED,
    ReservationStatus.faulted: CallResult.EVSE_INOPERATIVE,
    ReservationStatus.occupied: CallResult.EVSE_OCCUPIED,
    ReservationStatus.rejected: CallResult.REJECTED,
    ReservationStatus.unavailable: CallResult.EVSE_INOPERATIVE,
}
# Rejected: the charger has no reservation with this id (OCPP 1.6, 5.2).
CANCELLATION: Results = {
    CancelReservationStatus.accepted: CallResult.ACCEPTED,
    CancelReservationStatus.rejected: CallResult.UNKNOWN_RESERVATION,
}
UNLOCK: Results = {
    UnlockStatus.unlocked: CallResult.ACCEPTED,
    UnlockStatus.unlock_failed: CallResult.FAILED,
    UnlockStatus.not_supported: CallResult.NOT_SUPPORTED,
}
PROFILE: Results = {
    ChargingProfileStatus.accepted: CallResult.ACCEPTED,
    ChargingProfileStatus.rejected: CallResult.REJECTED,
    ChargingProfileStatus.not_supported: CallResult.NOT_SUPPORTED,
}
CLEARING: Results = {
    ClearChargingProfileStatus.accepted: CallResult.ACCEPTED,
    ClearChargingProfileStatus.unknown: CallResult.UNKNOWN,
}
SCHEDULE: Results = {
    GetCompositeScheduleStatus.accepted: CallResult.ACCEPTED,
    GetCompositeScheduleStatus.rejected: CallResult.REJECTED,
}
# What of all status words of answers means no.
REFUSALS = (
    "Rejected",
    "Failed",
    "NotSupported",
    "NotImplemented",
    "UnknownMessageId",
    "UnknownVendorId",
    "Faulted",
    "VersionMismatch",
    "InvalidCertificate",
    "RevokedCertificate",
    "NotFound",
    "Unknown",
    "Occupied",
    "Unavailable",
    "UnlockFailed",
)
# The one level that every charger with smart charging has.
STACK_LEVEL = 0
ONE_DECIMAL = Decimal("0.1")


class Requests16(ChargePoint):
    """The half of a connection that calls the charger."""

    async def start_transaction(self, evse_number: int, id_tag: str) -> Outcome:
        return await self._ask(call.RemoteStartTransaction(id_tag=id_tag, connector_id=evse_number), REMOTE)

    async def stop_transaction(self, transaction_id: str) -> Outcome:
        return await self._ask(call.RemoteStopTransaction(transaction_id=int(transaction_id)), REMOTE)

    async def reserve(self, wanted: Json) -> Outcome:
        request = call.ReserveNow(
            connector_id=wanted["evse"],
            expiry_date=_instant(wanted["expires_at"]),
            id_tag=wanted["id_tag"],
            reservation_id=wanted["reservation"],
            parent_id_tag=wanted["parent_id_tag"] or None,
        )
        return await self._ask(request, RESERVATION)

    async def cancel_reservation(self, reservation_id: int) -> Outcome:
        return await self._ask(call.CancelReservation(reservation_id=reservation_id), CANCELLATION)

    async def unlock_connector(self, evse_number: int) -> Outcome:
        return await self._ask(call.UnlockConnector(connector_id=evse_number), UNLOCK)

    async def set_charging_profile(self, wanted: Json) -> Outcome:
        request = call.SetChargingProfile(connector_id=wanted["evse"], cs_charging_profiles=_tx_profile(wanted))
        return await self._ask(request, PROFILE)

    async def clear_charging_profile(self, profile_id: int) -> Outcome:
        return await self._ask(call.ClearChargingProfile(id=profile_id), CLEARING)

    async def get_composite_schedule(self, evse_number: int, seconds: int) -> Outcome:
        answer = await self.call(call.GetCompositeSchedule(connector_id=evse_number, duration=seconds), suppress=False)
        schedule = _ocpi_profile(answer.charging_schedule) if answer.charging_schedule else None
        told = {"status": str(answer.status), "start": _told_instant(answer.schedule_start), "profile": schedule}
        return Outcome(SCHEDULE[answer.status], told)

    async def request(self, action: str, payload: Json) -> Outcome:
        make = getattr(call, action, None)
        if make is None:
            return Outcome(CallResult.NOT_SUPPORTED, {"reason": f"OCPP 1.6 has no {action}."})
        answer = await self.call(make(**camel_to_snake_case(payload)), suppress=False)
        return Outcome(_judged(answer), snake_to_camel_case(remove_nones(serialize_as_dict(answer))))

    async def _ask(self, request: Any, results: Results) -> Outcome:
        answer = await self.call(request, suppress=False)
        return Outcome(results[answer.status], {"status": str(answer.status)})


def _judged(answer: Any) -> CallResult:
    """Answers without a status, or with a status of another kind than yes or no, count as done."""
    return CallResult.REJECTED if str(getattr(answer, "status", "")) in REFUSALS else CallResult.ACCEPTED


def _instant(value: str) -> str:
    instant = datetime.fromisoformat(value).astimezone(UTC)
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _told_instant(value: str | None) -> str | None:
    """A charger's time as OCPI writes it."""
    return _instant(read_instant(value).isoformat()) if value else None


def _tx_profile(wanted: Json) -> Json:
    """csChargingProfiles of an OCPI ChargingProfile; without a start it counts from the start of charging."""
    profile = wanted["profile"]
    start = profile.get("start_date_time")
    kind = ChargingProfileKindType.absolute if start else ChargingProfileKindType.relative
    schedule = {
        "duration": profile.get("duration"),
        "start_schedule": start,
        "charging_rate_unit": profile["charging_rate_unit"],
        "charging_schedule_period": [
            {"start_period": int(period["start_period"]), "limit": _rate(period["limit"])}
            for period in profile["charging_profile_period"]
        ],
        "min_charging_rate": None if profile.get("min_charging_rate") is None else _rate(profile["min_charging_rate"]),
    }
    return {
        "charging_profile_id": wanted["profile_id"],
        "transaction_id": int(wanted["transaction_id"]),
        "stack_level": STACK_LEVEL,
        "charging_profile_purpose": ChargingProfilePurposeType.tx_profile,
        "charging_profile_kind": kind,
        "charging_schedule": {name: value for name, value in schedule.items() if value is not None},
    }


def _rate(value: Any) -> float:
    """Chargers take one decimal (OCPP 1.6, 7.12); a limit is never exceeded by rounding."""
    return float(Decimal(str(value)).quantize(ONE_DECIMAL, ROUND_DOWN))


def _ocpi_profile(schedule: Json) -> Json:
    """An OCPI ChargingProfile of a ChargingSchedule; the library reads its numbers as Decimal."""
    least = schedule.get("min_charging_rate")
    profile = {
        "start_date_time": _told_instant(schedule.get("start_schedule")),
        "duration": schedule.get("duration"),
        "charging_rate_unit": schedule["charging_rate_unit"],
        "min_charging_rate": None if least is None else float(least),
        "charging_profile_period": [
            {"start_period": int(period["start_period"]), "limit": float(period["limit"])}
            for period in schedule["charging_schedule_period"]
        ],
    }
    return {name: value for name, value in profile.items() if value is not None}
