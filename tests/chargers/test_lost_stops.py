"""A StopTransaction that never comes: the outlet is free, so the session is over and must be billed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import CallState, SessionStatus, StopReason
from chargers.models import CDR, ChargingSession
from chargers.services import progress, settling
from chargers.services.commands import request_start
from chargers.services.events import StatusChanged
from chargers.services.status import record_status
from tests.chargers.factories import (
    charger_of,
    end,
    make_active,
    make_start,
    make_version,
    meter_values,
    reread,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(settings) -> ChargingSession:
    settings.LOST_STOP_GRACE = timedelta(seconds=60)
    session = make_active(tariff_version=make_version(energy="0.5000"))
    report(session, 2000)
    return session


def report(session: ChargingSession, wh: int) -> None:
    progress.update_session(charger_of(session), meter_values(session, (timezone.now(), wh, None)))


def report_free(session: ChargingSession) -> None:
    record_status(charger_of(session), StatusChanged(1, "Available", timezone.now()))


def wait_out_the_grace() -> None:
    ChargingSession.objects.exclude(over_since=None).update(over_since=timezone.now() - timedelta(seconds=61))


def test_it_is_ended_with_its_last_reading_after_a_grace(session):
    report_free(session)
    settling.end_lost_sessions()
    assert reread(session).status == SessionStatus.ACTIVE
    wait_out_the_grace()
    settling.end_lost_sessions()
    session = reread(session)
    assert (session.status, session.stop_reason) == (SessionStatus.COMPLETED, StopReason.CHARGER)
    assert CDR.objects.get().total_energy == Decimal(2)


def test_a_late_stop_changes_nothing(session):
    report_free(session)
    wait_out_the_grace()
    settling.end_lost_sessions()
    end(session, timezone.now(), 9000)
    assert CDR.objects.get().total_energy == Decimal(2)


def test_a_stop_within_the_grace_counts(session):
    report_free(session)
    end(session, timezone.now(), 3000)
    wait_out_the_grace()
    settling.end_lost_sessions()
    assert CDR.objects.get().total_energy == Decimal(3)


def test_meter_values_show_that_it_goes_on(session):
    report_free(session)
    report(session, 2500)
    wait_out_the_grace()
    settling.end_lost_sessions()
    assert reread(session).status == SessionStatus.ACTIVE


def test_a_status_from_before_the_session_says_nothing(session):
    record_status(charger_of(session), StatusChanged(1, "Available", session.started_at - timedelta(seconds=1)))
    assert reread(session).over_since is None


def test_the_next_driver_need_not_wait(session):
    report_free(session)
    call = request_start(make_start(session.connector))
    assert call.state == CallState.PENDING
