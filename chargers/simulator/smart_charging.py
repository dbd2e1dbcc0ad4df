"""Charging profiles (OCPP 1.6, 3.13): which limit holds for a connector at an instant."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp.v16.enums import ChargingProfileStatus

TX, DEFAULT, STATION = "TxProfile", "TxDefaultProfile", "ChargePointMaxProfile"
VOLTS, PHASES = 230, 3


@dataclass(frozen=True)
class Profile:
    """A profile as it was set; `began` is where its schedule starts. Connector 0 means all."""

    id: int
    connector: int
    purpose: str
    stack_level: int
    transaction_id: int | None
    began: datetime
    schedule: dict[str, Any]

    def limit_kw(self, at: datetime) -> float | None:
        """None before the schedule, after it, and without a limit."""
        elapsed = (at - self.began).total_seconds()
        duration = self.schedule.get("duration")
        if elapsed < 0 or (duration is not None and elapsed >= duration):
            return None
        passed = [period for period in self._periods if period["start_period"] <= elapsed]
        return _kilowatts(passed[-1], self.schedule["charging_rate_unit"]) if passed else None

    def changes(self) -> list[datetime]:
        seconds = [period["start_period"] for period in self._periods]
        if self.schedule.get("duration") is not None:
            seconds.append(self.schedule["duration"])
        return [self.began + timedelta(seconds=one) for one in seconds]

    @property
    def _periods(self) -> list[dict[str, Any]]:
        return sorted(self.schedule["charging_schedule_period"], key=lambda period: period["start_period"])


def _kilowatts(period: dict[str, Any], unit: str) -> float:
    phases = period.get("number_phases") or PHASES
    return float(period["limit"]) * (VOLTS * phases if unit == "A" else 1) / 1000


class SmartCharging:
    """All profiles of the charge point."""

    def __init__(self) -> None:
        self.profiles: list[Profile] = []

    def set(
        self, connector: int, profile: dict[str, Any], transaction_id: int | None, started_at: datetime | None
    ) -> ChargingProfileStatus:
        """`transaction_id` and `started_at` are of what runs on the connector."""
        purpose, kind = profile["charging_profile_purpose"], profile["charging_profile_kind"]
        wanted = profile.get("transaction_id")
        if kind == "Recurring":
            return ChargingProfileStatus.not_supported
        if purpose == TX and (transaction_id is None or wanted not in (None, transaction_id)):
            return ChargingProfileStatus.rejected
        if purpose == STATION and connector:
            return ChargingProfileStatus.rejected
        now = datetime.now(UTC)
        schedule = profile["charging_schedule"]
        absolute = schedule.get("start_schedule") if kind == "Absolute" else None
        began = datetime.fromisoformat(absolute) if absolute else (started_at or now)
        new = Profile(
            profile["charging_profile_id"],
            connector,
            purpose,
            profile["stack_level"],
            transaction_id if purpose == TX else None,
            began if began.tzinfo else began.replace(tzinfo=UTC),
            schedule,
        )
        place = (connector, purpose, new.stack_level)
        self.profiles = [
            one for one in self.profiles if one.id != new.id and (one.connector, one.purpose, one.stack_level) != place
        ]
        self.profiles.append(new)
        return ChargingProfileStatus.accepted

    def clear(
        self,
        profile_id: int | None = None,
        connector: int | None = None,
        purpose: str | None = None,
        stack_level: int | None = None,
    ) -> bool:
        """What is given must fit; the id alone decides if it is given (OCPP 1.6, 5.5)."""

        def is_meant(one: Profile) -> bool:
            if profile_id is not None:
                return one.id == profile_id
            fits = connector in (None, one.connector) and purpose in (None, one.purpose)
            return fits and stack_level in (None, one.stack_level)

        kept = [one for one in self.profiles if not is_meant(one)]
        is_found = len(kept) < len(self.profiles)
        self.profiles = kept
        return is_found

    def forget_transaction(self, transaction_id: int | None) -> None:
        self.profiles = [one for one in self.profiles if one.purpose != TX or one.transaction_id != transaction_id]

    def limit_kw(self, connector: int, at: datetime) -> float | None:
        """The transaction's own profile holds instead of the default one, the station's besides."""
        own = self._strongest(TX, (connector,), at)
        own = self._strongest(DEFAULT, (connector, 0), at) if own is None else own
        limits = [limit for limit in (own, self._strongest(STATION, (0,), at)) if limit is not None]
        return min(limits, default=None)

    def _strongest(self, purpose: str, connectors: tuple[int, ...], at: datetime) -> float | None:
        applicable = [
            (one.connector, one.stack_level, limit)
            for one in self.profiles
            if one.purpose == purpose and one.connector in connectors and (limit := one.limit_kw(at)) is not None
        ]
        return max(applicable)[2] if applicable else None

    def next_change(self, after: datetime) -> datetime | None:
        return min((change for change in self._changes() if change > after), default=None)

    def _changes(self) -> Iterable[datetime]:
        return (change for profile in self.profiles for change in profile.changes())

    def composite(self, connector: int, seconds: int, unit: str, power_kw: float) -> dict[str, Any]:
        """ChargingSchedule of the limits from now on; the connector's own power is one of them."""
        now = datetime.now(UTC)
        end = now + timedelta(seconds=seconds)
        points = sorted({now, *(change for change in self._changes() if now < change < end)})
        periods: list[dict[str, Any]] = []
        for point in points:
            limit = self.limit_kw(connector, point)
            rate = _in_unit(power_kw if limit is None else min(limit, power_kw), unit)
            if not periods or periods[-1]["limit"] != rate:
                periods.append({"start_period": int((point - now).total_seconds()), "limit": rate})
        return {
            "duration": seconds,
            "start_schedule": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "charging_rate_unit": unit,
            "charging_schedule_period": periods,
        }


def _in_unit(kilowatts: float, unit: str) -> float:
    return round(kilowatts * 1000 / (VOLTS * PHASES if unit == "A" else 1), 1)
