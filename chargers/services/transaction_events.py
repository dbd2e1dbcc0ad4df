"""A transaction as chargers tell it that number transactions and events themselves (OCPP 2.0.1, part E).

Registers are Wh, times are aware.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from chargers.services.events import Reading

Json = dict[str, Any]


class EventKind(StrEnum):
    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


class ChargingState(StrEnum):
    """UNTOLD: the charger did not say, so that nothing changes."""

    UNTOLD = ""
    IDLE = "Idle"
    CONNECTED = "EVConnected"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"


NO_ENERGY = frozenset(ChargingState) - {ChargingState.UNTOLD, ChargingState.CHARGING}


@dataclass(frozen=True, slots=True)
class TransactionReported:
    """`id_tag` is None where the event names nobody. `is_withdrawn`: nobody answers for the transaction any more.
    `is_over`: nor does energy flow, though the cable may still hang there. `reason` is the word of OCPP 1.6 (Reason).
    """

    transaction_id: str
    seq_no: int
    kind: EventKind
    at: datetime
    evse_number: int | None = None
    id_tag: str | None = None
    start_id: int | None = None
    reservation_id: int | None = None
    state: ChargingState = ChargingState.UNTOLD
    is_withdrawn: bool = False
    is_over: bool = False
    reason: str = ""
    readings: tuple[Reading, ...] = ()
    # Events right before it, by number, that were held and are spare.
    spared: int = 0

    @property
    def is_measurement(self) -> bool:
        """Meter values of a transaction that goes on, and nothing else."""
        is_more = self.id_tag is not None or self.state or self.is_withdrawn or self.is_over
        return self.kind == EventKind.UPDATED and bool(self.readings) and not is_more

    @property
    def registers(self) -> tuple[Decimal, ...]:
        return tuple(one.register_wh for one in self.readings if not one.is_interval)

    def to_json(self) -> Json:
        readings = [
            [
                one.at.isoformat(),
                str(one.register_wh),
                None if one.power_w is None else str(one.power_w),
                one.is_interval,
                one.context,
            ]
            for one in self.readings
        ]
        return asdict(self) | {"at": self.at.isoformat(), "readings": readings}

    @classmethod
    def from_json(cls, body: Json) -> Self:
        readings = tuple(
            Reading(datetime.fromisoformat(at), Decimal(wh), None if power is None else Decimal(power), *series)
            for at, wh, power, *series in body["readings"]
        )
        changed = {
            "kind": EventKind(body["kind"]),
            "state": ChargingState(body["state"]),
            "at": datetime.fromisoformat(body["at"]),
            "readings": readings,
        }
        return cls(**body | changed)
