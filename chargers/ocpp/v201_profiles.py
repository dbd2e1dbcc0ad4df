"""Charging profiles of OCPP 2.0.1 (part K) from and to OCPI's."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from chargers.ocpp.meter_values import read_instant

Json = dict[str, Any]

# The one level that every charger with smart charging has.
STACK_LEVEL = 0
ONE_DECIMAL = Decimal("0.1")


def wire_instant(value: str) -> str:
    """An ISO 8601 time as OCPP writes it."""
    return instant_text(datetime.fromisoformat(value))


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def tx_profile(wanted: Json) -> Json:
    """A TxProfile of an OCPI ChargingProfile; without a start it counts from the start of charging."""
    profile = wanted["profile"]
    start, least = profile.get("start_date_time"), profile.get("min_charging_rate")
    schedule = {
        "id": wanted["profile_id"],
        "startSchedule": start,
        "duration": profile.get("duration"),
        "chargingRateUnit": profile["charging_rate_unit"],
        "chargingSchedulePeriod": [
            {"startPeriod": int(period["start_period"]), "limit": _rate(period["limit"])}
            for period in profile["charging_profile_period"]
        ],
        "minChargingRate": None if least is None else _rate(least),
    }
    return {
        "id": wanted["profile_id"],
        "stackLevel": STACK_LEVEL,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute" if start else "Relative",
        "chargingSchedule": [{name: value for name, value in schedule.items() if value is not None}],
        "transactionId": wanted["transaction_id"],
    }


def ocpi_schedule(answer: Json) -> Json:
    """Start and OCPI ChargingProfile of a GetCompositeScheduleResponse; None where the charger has no limit."""
    schedule = answer.get("schedule")
    if not schedule:
        return {"start": None, "profile": None}
    start = instant_text(read_instant(schedule["scheduleStart"]))
    profile = {
        "start_date_time": start,
        "duration": schedule["duration"],
        "charging_rate_unit": schedule["chargingRateUnit"],
        "charging_profile_period": [
            {"start_period": int(period["startPeriod"]), "limit": float(period["limit"])}
            for period in schedule["chargingSchedulePeriod"]
        ],
    }
    return {"start": start, "profile": profile}


def _rate(value: Any) -> float:
    """Chargers take one decimal (2.0.1, ChargingSchedulePeriodType); a limit is never exceeded by rounding."""
    return float(Decimal(str(value)).quantize(ONE_DECIMAL, ROUND_DOWN))
