"""OCPP 1.6 meter values (SampledValue, 7.43) as readings in Wh and W."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone

from chargers.services.events import Reading

REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
UNITS = {"Wh": Decimal(1), "kWh": Decimal(1000), "W": Decimal(1), "kW": Decimal(1000)}
DEFAULT_UNITS = {REGISTER: "Wh", POWER: "W"}
PHASES = ("L1", "L2", "L3")
LARGEST = Decimal(10) ** 10


def read_instant(value: str | None) -> datetime:
    """A charger's DateTime; without a zone it is UTC, and unreadable or missing it is now."""
    try:
        instant = datetime.fromisoformat(value or "")
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return timezone.now()


def read_meter_values(meter_values: Iterable[dict[str, Any]]) -> tuple[Reading, ...]:
    """Readings of the energy register, with the power told beside them; all other measurands are left out."""
    return tuple(_readings(meter_values))


def _readings(meter_values: Iterable[dict[str, Any]]) -> Iterator[Reading]:
    for value in meter_values:
        samples = [sample for sample in value["sampled_value"] if sample.get("format", "Raw") == "Raw"]
        register = _total(samples, REGISTER)
        if register is not None:
            yield Reading(read_instant(value["timestamp"]), register, _total(samples, POWER))


def _total(samples: list[dict[str, Any]], measurand: str) -> Decimal | None:
    """The value of a measurand; of chargers that tell only single phases, their sum."""
    by_phase: dict[str, Decimal] = {}
    for sample in samples:
        number = _number(sample, measurand)
        if number is not None:
            by_phase.setdefault(sample.get("phase", ""), number)
    if "" in by_phase:
        return by_phase[""]
    return sum((by_phase[phase] for phase in PHASES if phase in by_phase), Decimal(0)) if by_phase else None


def _number(sample: dict[str, Any], measurand: str) -> Decimal | None:
    """In Wh or W; None for another measurand, an unknown unit or something that is no amount."""
    factor = UNITS.get(sample.get("unit", DEFAULT_UNITS[measurand]))
    if sample.get("measurand", REGISTER) != measurand or factor is None:
        return None
    try:
        number = Decimal(sample["value"].strip()) * factor
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < LARGEST else None
