"""A change of an active tariff is for sessions that start afterwards."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.models import CDR
from chargers.services import progress
from infrastructure.services import masterdata
from tariffs.choices import TariffStatus
from tariffs.services.publish import current_version
from tariffs.services.resolution import resolve
from tests.chargers.factories import end, make_active, make_connector, reread
from tests.infrastructure.factories import SiteFactory
from tests.tariffs.factories import SettingsFactory, make_published

pytestmark = pytest.mark.django_db


@pytest.fixture
def tariff():
    """0.40 net per kWh, everywhere."""
    tariff = make_published()
    SettingsFactory(site=SiteFactory(), tariffs=[tariff])
    return tariff


def version_for(connector, tariff):
    """What a start at this moment is given."""
    return current_version(resolve(connector, timezone.now(), [tariff.pk], for_terminals=True))


def start_session(tariff, **changes):
    connector = make_connector()
    return make_active(connector, tariff_version=version_for(connector, tariff), **changes)


def raise_price(tariff):
    detail = tariff.details.get()
    detail.energy_price = Decimal("0.9000")
    masterdata.save(detail)


def bill(session):
    end(session, timezone.now(), 10_000)
    return CDR.objects.get(session=session)


def test_a_running_session_keeps_the_price_with_which_it_started(tariff):
    running = start_session(tariff)
    raise_price(tariff)
    progress.price_active_sessions()
    cdr = bill(running)
    assert reread(running).tariff_version.number == 1
    assert cdr.total_cost_excl_vat == Decimal("4.0000")
    assert cdr.total_cost_incl_vat == Decimal("4.8000")


def test_the_next_session_gets_the_new_price(tariff):
    raise_price(tariff)
    started = start_session(tariff)
    assert started.tariff_version.number == 2
    assert bill(started).total_cost_excl_vat == Decimal("9.0000")


def test_a_session_outlives_its_tariff(tariff):
    running = start_session(tariff)
    tariff.status = TariffStatus.INACTIVE
    tariff.valid_until = timezone.now() - timedelta(minutes=30)
    masterdata.save(tariff)
    assert resolve(running.connector, timezone.now(), [tariff.pk]) is None
    assert bill(running).total_cost_excl_vat == Decimal("4.0000")


def test_a_session_keeps_the_amount_that_was_blocked_for_it(tariff):
    running = start_session(tariff, limit=Decimal("50.00"))
    tariff.preauthorisation = Decimal(20)
    masterdata.save(tariff)
    session = reread(running)
    assert session.limit == Decimal(50)
    assert session.tariff_version.content["preauthorisation"] == "50.0000"
    assert current_version(tariff).content["preauthorisation"] == "20.0000"
