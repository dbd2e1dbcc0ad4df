"""OCPP 2.0.1 TransactionEvent and MeterValue in the words of our services."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from chargers.ocpp.meter_values import read_instant, read_meter_values
from chargers.services.events import Reading
from chargers.services.id_tokens import in_capitals
from chargers.services.transaction_events import NO_ENERGY, ChargingState, EventKind, TransactionReported

Json = dict[str, Any]

# ReasonEnumType -> OCPP 1.6 Reason, where the words differ; without one it is Local (1.60, TransactionType).
REASONS = {
    "": "Local",
    "MasterPass": "DeAuthorized",
    "StoppedByEV": "Local",
    "ImmediateReset": "HardReset",
}
# Triggers of an Updated event after which nobody answers for the transaction any more (TxStopPoint decides whether
# it goes on until the cable or the car is gone).
WITHDRAWN = {"StopAuthorized", "RemoteStop", "Deauthorized", "EnergyLimitReached", "TimeLimitReached"}
TRIGGER_REASONS = {"StopAuthorized": "Local", "RemoteStop": "Remote", "Deauthorized": "DeAuthorized"}
OUTLET = "Outlet"


def read_event(payload: Json) -> TransactionReported:
    """A TransactionEventRequest, with its keys as the library spells them."""
    info, evse, token = payload["transaction_info"], payload.get("evse") or {}, payload.get("id_token")
    kind, trigger = EventKind(payload["event_type"]), payload["trigger_reason"]
    state = ChargingState(info.get("charging_state", ""))
    is_withdrawn = kind == EventKind.UPDATED and trigger in WITHDRAWN
    return TransactionReported(
        transaction_id=info["transaction_id"],
        seq_no=payload["seq_no"],
        kind=kind,
        at=read_instant(payload["timestamp"]),
        evse_number=evse.get("id"),
        id_tag=None if token is None else read_token(token),
        start_id=info.get("remote_start_id"),
        reservation_id=payload.get("reservation_id"),
        state=state,
        is_withdrawn=is_withdrawn,
        is_over=kind == EventKind.ENDED or (is_withdrawn and state in NO_ENERGY),
        reason=_reason(kind, trigger, info),
        readings=tuple(sorted(read_readings(payload.get("meter_value", ())), key=lambda one: one.at)),
    )


def _reason(kind: EventKind, trigger: str, info: Json) -> str:
    told = str(info.get("stopped_reason", ""))
    if not told and kind == EventKind.UPDATED:
        return TRIGGER_REASONS.get(trigger, "Other")
    return REASONS.get(told, told)


def read_token(token: Json) -> str:
    return in_capitals(token["id_token"])


def read_readings(meter_values: Iterable[Json]) -> tuple[Reading, ...]:
    """Readings as of OCPP 1.6, whose samples have text for numbers and one word for the unit."""
    return read_meter_values(
        {"timestamp": value["timestamp"], "sampled_value": [_sample(one) for one in _at_outlet(value)]}
        for value in meter_values
    )


def _at_outlet(value: Json) -> list[Json]:
    """What the car gets: not what the charger takes in, nor what it says of its own case."""
    samples: list[Json] = value["sampled_value"]
    return [one for one in samples if one.get("location", OUTLET) == OUTLET] or samples


def _sample(sample: Json) -> Json:
    unit = sample.get("unit_of_measure") or {}
    told: Json = {name: sample[name] for name in ("context", "measurand", "phase", "location") if name in sample}
    if "unit" in unit:
        told["unit"] = unit["unit"]
    return told | {"value": _scaled(sample["value"], int(unit.get("multiplier", 0)))}


def _scaled(value: float, multiplier: int) -> str:
    """`value` times ten to the power of `multiplier`; "", which is no amount, where no number can be so large."""
    try:
        return str(Decimal(str(value)).scaleb(multiplier))
    except ArithmeticError:
        return ""
