"""What we ask of an OCPP 1.6 charger, and its answers as outcomes."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from ocpp.v16 import ChargePoint

from chargers.choices import CallResult
from chargers.ocpp.adapter import Outcome
from chargers.ocpp.meter_values import read_instant
from chargers.ocpp.v16_answers import ANSWERS, judge
from chargers.ocpp.wire import Wire

Json = dict[str, Any]

# The one level that every charger with smart charging has.
STACK_LEVEL = 0
ONE_DECIMAL = Decimal("0.1")


class Requests16(Wire, ChargePoint):
    """The half of a connection that calls the charger."""

    async def start_transaction(self, evse_number: int, id_tag: str, start_id: int) -> Outcome:
        return await self.request("RemoteStartTransaction", {"connectorId": evse_number, "idTag": id_tag})

    async def stop_transaction(self, transaction_id: str) -> Outcome:
        return await self.request("RemoteStopTransaction", {"transactionId": int(transaction_id)})

    async def reserve(self, wanted: Json) -> Outcome:
        reservation = {
            "connectorId": wanted["evse"],
            "expiryDate": _instant(wanted["expires_at"]),
            "idTag": wanted["id_tag"],
            "reservationId": wanted["reservation"],
        }
        if wanted["parent_id_tag"]:
            reservation["parentIdTag"] = wanted["parent_id_tag"]
        return await self.request("ReserveNow", reservation)

    async def cancel_reservation(self, reservation_id: int) -> Outcome:
        return await self.request("CancelReservation", {"reservationId": reservation_id})

    async def unlock_connector(self, evse_number: int) -> Outcome:
        return await self.request("UnlockConnector", {"connectorId": evse_number})

    async def set_charging_profile(self, wanted: Json) -> Outcome:
        profile = {"connectorId": wanted["evse"], "csChargingProfiles": _tx_profile(wanted)}
        return await self.request("SetChargingProfile", profile)

    async def clear_charging_profile(self, profile_id: int) -> Outcome:
        return await self.request("ClearChargingProfile", {"id": profile_id})

    async def get_composite_schedule(self, evse_number: int, seconds: int) -> Outcome:
        wanted = {"connectorId": evse_number, "duration": seconds}
        answer = await self.ask_strictly("GetCompositeSchedule", wanted)
        schedule = _ocpi_profile(answer["chargingSchedule"]) if answer.get("chargingSchedule") else None
        told = {"status": answer["status"], "start": _told_instant(answer.get("scheduleStart")), "profile": schedule}
        return Outcome(judge("GetCompositeSchedule", answer).result, told)

    async def request(self, action: str, payload: Json) -> Outcome:
        """Any request of OCPP 1.6 and its security extension, as it goes on the wire. Never checked: what the
        standard allows and a schema does not must reach the charger, which says no itself."""
        if action not in ANSWERS:
            return Outcome(CallResult.NOT_SUPPORTED, {"reason": f"{action} is no request to a charger of OCPP 1.6."})
        return judge(action, await self.ask(action, payload))


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
    schedule = {
        "duration": profile.get("duration"),
        "startSchedule": start,
        "chargingRateUnit": profile["charging_rate_unit"],
        "chargingSchedulePeriod": [
            {"startPeriod": int(period["start_period"]), "limit": _rate(period["limit"])}
            for period in profile["charging_profile_period"]
        ],
        "minChargingRate": None if profile.get("min_charging_rate") is None else _rate(profile["min_charging_rate"]),
    }
    return {
        "chargingProfileId": wanted["profile_id"],
        "transactionId": int(wanted["transaction_id"]),
        "stackLevel": STACK_LEVEL,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute" if start else "Relative",
        "chargingSchedule": {name: value for name, value in schedule.items() if value is not None},
    }


def _rate(value: Any) -> float:
    """Chargers take one decimal (OCPP 1.6, 7.12); a limit is never exceeded by rounding."""
    return float(Decimal(str(value)).quantize(ONE_DECIMAL, ROUND_DOWN))


def _ocpi_profile(schedule: Json) -> Json:
    """An OCPI ChargingProfile of a ChargingSchedule."""
    profile = {
        "start_date_time": _told_instant(schedule.get("startSchedule")),
        "duration": schedule.get("duration"),
        "charging_rate_unit": schedule["chargingRateUnit"],
        "min_charging_rate": schedule.get("minChargingRate"),
        "charging_profile_period": [
            {"start_period": int(period["startPeriod"]), "limit": float(period["limit"])}
            for period in schedule["chargingSchedulePeriod"]
        ],
    }
    return {name: value for name, value in profile.items() if value is not None}
