"""What is old goes, in batches; what is young, unfinished or money stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import CDR, ChargingSession, MeterSample, OutgoingCall
from config import retention
from infrastructure.models import Act
from payments.models import FinancialAdviceConfirmation, Invoice
from roaming.models import RoamingProfile
from tariffs.models import TariffVersion
from tests.chargers.factories import make_active, make_connector
from tests.infrastructure.factories import OperatorFactory, make_superuser
from tests.infrastructure.test_admin import submit, url
from tests.roaming.factories import ProfileFactory

pytestmark = pytest.mark.django_db
OLD = timedelta(days=4000)


def acts(count, age):
    Act.objects.bulk_create(Act(at=timezone.now() - age, model="x.y", what="Stop") for _ in range(count))


def test_old_rows_go_in_batches_and_young_ones_stay(monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    acts(7, OLD)
    acts(2, timedelta(days=1))
    retention.forget_all()
    assert Act.objects.count() == 2


def test_a_young_row_among_old_ones_hides_none_of_them(monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    acts(2, OLD)
    acts(1, timedelta(days=1))
    acts(4, OLD)
    retention.forget_all()
    assert Act.objects.count() == 1


def test_zero_keeps_for_ever(settings):
    settings.AUDIT_DAYS = 0
    acts(1, OLD)
    retention.forget_all()
    assert Act.objects.count() == 1


def test_meter_values_and_calls_of_a_session_that_is_not_over_stay():
    session = make_active(make_connector(), ago=OLD)
    MeterSample.objects.create(session=session, at=timezone.now() - OLD, register_wh=1)
    OutgoingCall.objects.filter(session=session).update(created_at=timezone.now() - OLD, state="PENDING")
    before = OutgoingCall.objects.count()
    retention.forget_all()
    assert (MeterSample.objects.count(), OutgoingCall.objects.count()) == (1, before)
    ChargingSession.objects.update(ended_at=timezone.now() - OLD)
    OutgoingCall.objects.update(state="DONE")
    retention.forget_all()
    assert (MeterSample.objects.count(), OutgoingCall.objects.count()) == (0, 0)
    assert ChargingSession.objects.exists()


def test_a_history_goes_with_all_that_belongs_to_it(client):
    client.force_login(make_superuser())
    profile = ProfileFactory(operators=[OperatorFactory()])
    submit(client, url(profile), name="New name")
    table = RoamingProfile.history.model
    kept = RoamingProfile.history.model.operators.model
    assert table.objects.exists() and kept.objects.exists()
    table.objects.update(history_date=timezone.now() - OLD)
    retention.forget_all()
    assert not table.objects.exists() and not kept.objects.exists()


def test_no_rule_is_about_money():
    money = {CDR, ChargingSession, Invoice, FinancialAdviceConfirmation, TariffVersion}
    assert not money & {rule.model for rule in retention.rules()}
