"""Random histories of a session: messages repeated, delayed, lost and out of order, by a clock that jumps."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.utils import timezone

from chargers.choices import CallResult
from chargers.models import CDR, ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls, progress, sessions, settling
from chargers.services.events import (
    MeterValuesReceived,
    Reading,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from chargers.services.status import record_status
from tests.chargers.factories import make_connector, make_pending, make_version

pytestmark = pytest.mark.django_db

ASKED = datetime(2026, 6, 1, 10, tzinfo=UTC)
LIMIT = Decimal("6.00")
JUMPS = [0, 0, 0, 40, -40, -300, 3600, -3600, -86_400 * 365 * 20, 86_400 * 365]
SECOND = timedelta(seconds=1)


@dataclass
class Told:
    """A message: when it comes, what it says."""

    at: datetime
    event: TransactionStarted | MeterValuesReceived | TransactionEnded | StatusChanged


class History:
    """What a charger does, second by second, and what it says of it by its own clock."""

    def __init__(self, seed: int, session: ChargingSession) -> None:
        self.random = Random(seed)
        self.session = session
        self.told: list[Told] = []
        self.register = Decimal(self.random.choice([0, 500, 4_000_000]))
        self.first, self.has_stop = self.register, self.random.random() < 0.7
        self.began = now = ASKED + SECOND * self.random.randint(1, 100)
        error = self._error()
        start = TransactionStarted(1, session.id_tag, self.register, now + error)
        self.told.append(Told(now, start))
        for _ in range(self.random.randint(0, 8)):
            if self.random.random() < 0.3:
                error = self._error()
            now += SECOND * self.random.randint(5, 600)
            self.register += self.random.randint(0, 9000)
            self._say(now, self._values(now + error))
            if self.random.random() < 0.3:
                self._say(now, StatusChanged(1, self.random.choice(["SuspendedEV", "Charging"]), now + error))
        self.ended = now = now + SECOND * self.random.randint(1, 300)
        if self.has_stop:
            readings = self._values(now + error).readings if self.random.random() < 0.5 else ()
            self._say(
                now, TransactionEnded(session.pk, self.register, now + error, "Local", readings), can_be_lost=False
            )
        else:
            self._say(now, StatusChanged(1, "Available", now + error))
        self.told[1:] = sorted(self.told[1:], key=lambda told: told.at)

    def _error(self) -> timedelta:
        return SECOND * self.random.choice(JUMPS)

    def _values(self, at: datetime) -> MeterValuesReceived:
        number = self.random.choice([self.session.pk, None])
        return MeterValuesReceived(1, number, (Reading(at, self.register),))

    def _say(
        self, now: datetime, event: MeterValuesReceived | TransactionEnded | StatusChanged, *, can_be_lost: bool = True
    ) -> None:
        times = self.random.choice([0, 1, 1, 1, 2]) if can_be_lost else self.random.choice([1, 1, 2])
        for _ in range(times):
            self.told.append(Told(now + SECOND * self.random.choice([0, 0, 0, 30, 900]), event))

    def repeated_start(self) -> None:
        """Now and then the answer to the start was lost."""
        if self.random.random() < 0.5:
            self.told.insert(self.random.randint(1, len(self.told)), self.told[0])


def deliver(charger_id: int, event: object) -> None:
    match event:
        case TransactionStarted():
            sessions.start_session(charger_id, event)
        case MeterValuesReceived():
            progress.update_session(charger_id, event)
        case TransactionEnded():
            sessions.end_session(charger_id, event)
        case StatusChanged():
            record_status(charger_id, event)


@pytest.mark.parametrize("seed", range(40))
def test_no_history_bills_energy_or_time_that_never_was_or_more_than_the_limit(seed, monkeypatch):
    now = ASKED
    monkeypatch.setattr(timezone, "now", lambda: now)
    session = make_pending(make_connector(), tariff_version=make_version(energy="0.5", hour="1.2"), limit=LIMIT)
    ChargingSession.objects.update(created_at=ASKED)
    OutgoingCall.objects.update(state="SENT")
    calls.finish_call(session.calls.get().pk, CallResult.ACCEPTED, {})
    charger_id = session.connector.evse.charger_id
    history = History(seed, session)
    history.repeated_start()
    drawn = (history.register - history.first) / 1000

    for told in history.told:
        now = max(now, told.at)
        deliver(charger_id, told.event)
        session.refresh_from_db()
        assert session.kwh <= drawn and (session.total_cost_incl_vat or 0) <= LIMIT
    now += timedelta(hours=20)
    ChargerConnection.objects.update(channel_name="", disconnected_at=now - timedelta(hours=13))
    settling.end_lost_sessions()

    cdr = CDR.objects.get()
    last = max(told.at for told in history.told)
    assert ChargingSession.objects.count() == 1
    assert cdr.total_energy <= drawn and cdr.total_cost_incl_vat <= LIMIT
    # Errors of less than five minutes are not told from the truth.
    assert cdr.total_time <= Decimal((last - history.began).total_seconds() + 301) / 3600
    if history.has_stop and not ChargingSession.objects.get().settlement:
        assert cdr.total_energy == drawn
    values = [told.event.readings[0] for told in history.told if isinstance(told.event, MeterValuesReceived)]
    if not history.has_stop:  # nothing is lost of what was told either
        assert (
            cdr.total_energy == (max((one.register_wh for one in values), default=history.first) - history.first) / 1000
        )
    before = (cdr.total_energy, cdr.total_cost_incl_vat)
    sessions.end_session(charger_id, TransactionEnded(session.pk, history.register + 50_000, now))
    cdr = CDR.objects.get()
    assert (cdr.total_energy, cdr.total_cost_incl_vat) == before
