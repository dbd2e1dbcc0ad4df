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
    """The energy register at one instant, and the power then if the charger told it."""

    at: datetime
    register_wh: Decimal
    power_w: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MeterValuesReceived:
    evse_number: int
    transaction_id: int | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """`reason` is the word of OCPP 1.6 (Reason); "" when the charger gave none, which means Local."""

    transaction_id: int
    meter_stop: Decimal
    at: datetime
    reason: str = ""
    readings: tuple[Reading, ...] = ()
