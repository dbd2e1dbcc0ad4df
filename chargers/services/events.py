"""What a charger tells us, free of any OCPP version. Registers are Wh, power is W, times are aware."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Booted:
    vendor: str
    model: str
    serial_number: str
    firmware_version: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """`status` is the word of OCPP 1.6 (ChargePointStatus), which says more than OCPI's."""

    evse_number: int
    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    evse_number: int
    id_tag: str
    meter_start: Decimal
    at: datetime
    reservation_id: int | None = None
    transaction_id: str = ""
    """Of chargers that number their transactions themselves; "" lets us do it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The energy register at one instant, and the power then if the charger told it.

    `is_interval`: of a charger that tells no register; `register_wh` is the energy since its value before. `context`:
    the series that an interval belongs to (ReadingContext, 7.35 of OCPP 1.6); "" for a register.
    """

    at: datetime
    register_wh: Decimal
    power_w: Decimal | None = None
    is_interval: bool = False
    context: str = ""


@dataclass(frozen=True, slots=True)
class MeterValuesReceived:
    evse_number: int
    transaction_id: int | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """`reason` is the word of OCPP 1.6 (Reason); "" when the charger gave none, which means Local.

    `meter_stop` None: no register was told at the end, so that the last one measured counts.
    """

    transaction_id: int
    meter_stop: Decimal | None
    at: datetime
    reason: str = ""
    readings: tuple[Reading, ...] = ()
