"""One outlet with its cable, meter and car. Knows physics and states, no messages and no clock."""

from dataclasses import asdict, dataclass
from typing import Any

SECONDS_PER_HOUR = 3600
# A used meter does not start at zero; a back office that assumes it does must fail here.
FIRST_REGISTER_WH = 12_345.0
REGISTER, INTERVAL = "Energy.Active.Import.Register", "Energy.Active.Import.Interval"


@dataclass
class Transaction:
    """A running transaction. local_id names it until the back office has given it an id."""

    local_id: str
    id_tag: str
    meter_start: int
    started_at: str
    start_id: int | None = None
    seq_no: int = 0
    told_state: str = ""


@dataclass
class Connector:
    """State of connector `number`; `now` is always a monotonic clock in seconds."""

    number: int
    power_kw: float
    speed_up: float = 1.0
    battery_wh: float | None = None
    register_wh: float = FIRST_REGISTER_WH
    plugged: bool = False
    operative: bool = True
    fault: str | None = None
    id_tag: str | None = None
    start_id: int | None = None
    finishing: bool = False
    suspended: bool = False
    reserved: bool = False
    booking_id: int | None = None
    limit_kw: float | None = None
    transaction: Transaction | None = None
    advanced_at: float = 0.0
    has_register: bool = True
    told_wh: int = 0

    @property
    def status(self) -> str:
        """The ChargePointStatus to report (OCPP 1.6 §4.9)."""
        if self.fault:
            return "Faulted"
        if self.transaction:
            if self.limit_kw == 0:
                return "SuspendedEVSE"
            return "SuspendedEV" if self.suspended else "Charging"
        if not self.operative:
            return "Unavailable"
        if self.finishing:
            return "Finishing"
        if self.plugged or self.id_tag:
            return "Preparing"
        return "Reserved" if self.reserved else "Available"

    @property
    def can_start(self) -> bool:
        """Whether a new authorisation is welcome: nobody before us is still here."""
        free = not (self.fault or self.transaction or self.id_tag or self.finishing)
        return free and self.operative

    @property
    def meter_wh(self) -> int:
        """The register as the display shows it, whole Wh."""
        return int(self.register_wh)

    def energy_to_tell(self) -> tuple[str, int]:
        """Measurand and Wh of the next value: the register, or where the meter tells none what flowed since the last
        value."""
        if self.has_register:
            return REGISTER, self.meter_wh
        since, self.told_wh = self.meter_wh - self.told_wh, self.meter_wh
        return INTERVAL, since

    @property
    def power_w(self) -> float:
        """Present power; the speed-up is no part of it."""
        flowing = self.transaction is not None and not self.suspended
        power_kw = self.power_kw if self.limit_kw is None else min(self.power_kw, self.limit_kw)
        return power_kw * 1000 if flowing else 0.0

    def begin(self, transaction: Transaction, now: float) -> None:
        """Starts to charge; the authorisation is used up."""
        self.transaction, self.id_tag, self.start_id = transaction, None, None
        self.suspended, self.advanced_at, self.told_wh = False, now, self.meter_wh

    def end(self) -> Transaction:
        """Stops to charge; the cable, if plugged, is still to be taken away."""
        assert self.transaction is not None
        transaction, self.transaction = self.transaction, None
        self.suspended, self.finishing = False, self.plugged
        return transaction

    def advance(self, now: float) -> None:
        """Lets the energy flow that belongs to the time since the last call."""
        self.register_wh += self.power_w * self.speed_up * (now - self.advanced_at) / SECONDS_PER_HOUR
        self.advanced_at = now
        if self.room_wh is not None and self.room_wh <= 0 and not self.suspended:
            self.register_wh += self.room_wh
            self.suspended = True

    @property
    def room_wh(self) -> float | None:
        """Energy the car still takes in this transaction; None when it never gets full."""
        if self.battery_wh is None or self.transaction is None:
            return None
        return self.transaction.meter_start + self.battery_wh - self.register_wh

    def seconds_until_full(self) -> float | None:
        """Time until the car stops to draw power; None when it does not come to that."""
        if self.room_wh is None or not self.power_w:
            return None
        return max(self.room_wh, 0) * SECONDS_PER_HOUR / (self.power_w * self.speed_up)

    def snapshot(self) -> dict[str, Any]:
        """What must survive a restart."""
        kept = ("number", "register_wh", "plugged", "operative", "finishing", "suspended", "id_tag", "told_wh")
        transaction = asdict(self.transaction) if self.transaction else None
        return {name: getattr(self, name) for name in kept} | {"transaction": transaction}

    def restore(self, kept: dict[str, Any], now: float) -> None:
        """Takes up a snapshot; no energy flowed in between."""
        transaction = kept.pop("transaction")
        for name, value in kept.items():
            setattr(self, name, value)
        self.transaction = Transaction(**transaction) if transaction else None
        self.advanced_at = now
