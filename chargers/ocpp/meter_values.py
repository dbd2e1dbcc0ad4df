"""OCPP 1.6 meter values (SampledValue, 7.43) as readings in Wh and W."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from chargers.services.events import Reading

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
UNITS = {"Wh": Decimal(1), "kWh": Decimal(1000), "W": Decimal(1), "kW": Decimal(1000)}
DEFAULT_CONTEXT = "Sample.Periodic"
# The register at the start, which some tell once more beside the one at the end.
BEGIN = "Transaction.Begin"
# An interval that was asked for has no length that anybody set, and the next one of its series covers it again.
TRIGGERED = "Trigger"
DEFAULT_UNITS = {REGISTER: "Wh", INTERVAL: "Wh", POWER: "W"}
# Some tell single phases against neutral.
PHASES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"))
# What the driver pays is measured where the car is; losses inside the charger are ours.
OUTLET = "Outlet"
LARGEST = Decimal(10) ** 10
# As it is stored; a database need not take the many decimals that a charger can write.
SMALLEST = Decimal("0.001")


def read_instant(value: str | None) -> datetime:
    """A charger's DateTime; without a zone it is UTC, and unreadable or missing it is now."""
    try:
        instant = datetime.fromisoformat(value or "")
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return timezone.now()


def read_meter_values(meter_values: Iterable[dict[str, Any]]) -> tuple[Reading, ...]:
    """Readings of the energy register, with the power told beside them; all other measurands are left out.

    The energy of an interval is read where the same value names no register, once for each of its contexts.
    """
    return tuple(_readings(meter_values))


def _readings(meter_values: Iterable[dict[str, Any]]) -> Iterator[Reading]:
    for value in meter_values:
        raw = [sample for sample in value["sampled_value"] if sample.get("format", "Raw") == "Raw"]
        for is_begin in (True, False):
            samples = [sample for sample in raw if (sample.get("context") == BEGIN) is is_begin]
            yield from _readings_at(read_instant(value["timestamp"]), samples)


def _readings_at(at: datetime, samples: list[dict[str, Any]]) -> Iterator[Reading]:
    register, power = _total(samples, REGISTER), _total(samples, POWER)
    if register is not None:
        yield Reading(at, register, power)
        return
    for context, energy in _intervals(samples):
        yield Reading(at, energy, power, is_interval=True, context=context)


def _intervals(samples: list[dict[str, Any]]) -> Iterator[tuple[str, Decimal]]:
    """Energy by ReadingContext."""
    contexts = dict.fromkeys(str(sample.get("context", DEFAULT_CONTEXT)) for sample in samples)
    for context in contexts:
        energy = _total([one for one in samples if one.get("context", DEFAULT_CONTEXT) == context], INTERVAL)
        if energy is not None and context != TRIGGERED:
            yield context, energy


def _total(samples: list[dict[str, Any]], measurand: str) -> Decimal | None:
    """The value of a measurand at the outlet, or elsewhere if that is not told."""
    outlet = [sample for sample in samples if sample.get("location", OUTLET) == OUTLET]
    total = _over_phases(outlet, measurand)
    return _over_phases(samples, measurand) if total is None else total


def _over_phases(samples: list[dict[str, Any]], measurand: str) -> Decimal | None:
    """The total, if it is told; else the sum of single phases."""
    by_phase: dict[str, Decimal] = {}
    for sample in samples:
        number = _number(sample, measurand)
        if number is not None:
            by_phase.setdefault(sample.get("phase", ""), number)
    if "" in by_phase:
        return by_phase[""]
    for names in PHASES:
        if told := [by_phase[name] for name in names if name in by_phase]:
            return sum(told, Decimal(0))
    return None


def _number(sample: dict[str, Any], measurand: str) -> Decimal | None:
    """In Wh or W; None for another measurand, an unknown unit or something that is no amount."""
    factor = UNITS.get(sample.get("unit", DEFAULT_UNITS[measurand]))
    if sample.get("measurand", REGISTER) != measurand or factor is None:
        return None
    try:
        number = Decimal(sample["value"].strip()) * factor
    except ArithmeticError:  # no number, or one beyond all exponents
        return None
    return number.quantize(SMALLEST) if number.is_finite() and 0 <= number < LARGEST else None
