"""CostUpdated: the price on the display of a charger that says nothing for a while."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import ChargerConnection, OutgoingCall
from chargers.services import progress
from tests.chargers.factories import make_active, make_version, reread

pytestmark = pytest.mark.django_db


def running(**changes):
    """A session whose price grows with the time, not told of for an hour, at a charger of 2.0.1."""
    session = make_active(tariff_version=make_version(hour="6", vat="20"), **changes)
    ChargerConnection.objects.update(protocol="ocpp2.0.1")
    type(session).objects.update(last_updated=timezone.now() - timedelta(minutes=5))
    return session


def shown():
    return [call.payload for call in OutgoingCall.objects.filter(action="OCPP")]


def test_a_quiet_charger_is_told_the_gross_cost():
    session = running()
    progress.price_active_sessions()
    [told] = shown()
    assert told["action"] == "CostUpdated"
    cost = round(float(reread(session).total_cost_incl_vat), 2)
    assert told["payload"] == {"totalCost": cost, "transactionId": session.transaction_id}
    assert cost > 7


def test_one_that_spoke_a_moment_ago_shows_it_already():
    running(ago=timedelta(seconds=30))
    progress.price_active_sessions()
    assert shown() == []


def test_one_that_cannot_is_not_asked_again():
    session = running()
    progress.price_active_sessions()
    OutgoingCall.objects.filter(action="OCPP").update(state="DONE", result="NOT_SUPPORTED")
    type(session).objects.update(last_updated=timezone.now() - timedelta(minutes=5), total_cost_incl_vat=0)
    progress.price_active_sessions()
    assert len(shown()) == 1


@pytest.mark.parametrize("change", [{"protocol": "ocpp1.6"}, {"channel_name": ""}])
def test_one_of_another_version_or_offline_is_not_asked(change):
    running()
    ChargerConnection.objects.update(**change)
    progress.price_active_sessions()
    assert shown() == []
