"""Whom nobody let in gets no further than the charger lets it, and is asked to stop until it does."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.choices import AuthorizationStatus, CallAction, CallResult
from chargers.models import ChargingSession, MeterSample
from chargers.services import authorize, calls, progress, sessions
from chargers.services.events import MeterValuesReceived, Reading, TransactionStarted
from chargers.services.limits import REPEAT_STOP_AFTER
from tests.chargers.factories import METER_START, make_active, make_connector, meter_values

pytestmark = pytest.mark.django_db
STRANGER = "STRANGER"


def strange_start(connector) -> ChargingSession:
    event = TransactionStarted(1, STRANGER, Decimal(METER_START), timezone.now())
    answer = sessions.start_session(connector.evse.charger_id, event)
    assert answer.tag.status == AuthorizationStatus.INVALID
    return ChargingSession.objects.get(connector=connector)


def test_a_refused_stop_is_asked_for_again_while_energy_flows():
    connector = make_connector()
    session = strange_start(connector)
    calls.finish_call(session.calls.get().pk, CallResult.REJECTED, {})
    ChargingSession.objects.update(stop_requested_at=timezone.now() - REPEAT_STOP_AFTER)
    reading = Reading(timezone.now(), Decimal(METER_START + 500), Decimal(11_000))
    progress.update_session(connector.evse.charger_id, MeterValuesReceived(1, session.pk, (reading,)))
    assert session.calls.filter(action=CallAction.STOP_TRANSACTION).count() == 2


def test_a_refused_tag_is_not_let_in_because_it_charges():
    connector = make_connector()
    strange_start(connector)
    assert authorize.authorize(connector.evse.charger_id, STRANGER).status == AuthorizationStatus.INVALID


def test_a_power_that_no_meter_can_mean_does_not_cost_the_reading():
    session = make_active()
    at = timezone.now() - timedelta(seconds=1)
    progress.update_session(session.connector.evse.charger_id, meter_values(session, (at, 500, 4_294_967_295)))
    sample = MeterSample.objects.filter(session=session).latest("at")
    assert (sample.register_wh, sample.power_w) == (METER_START + 500, None)
