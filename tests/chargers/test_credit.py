"""Taking a CDR back (OCPI 2.2.1 mod_cdrs: credit CDRs)."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chargers.models import CDR, ChargingSession
from chargers.services.cdrs import credit_cdr
from infrastructure.models import OutboxEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def cdr() -> CDR:
    now = timezone.now()
    session = ChargingSession.objects.create(id_tag="TAG", currency="EUR", time_zone="UTC", status="COMPLETED")
    return CDR.objects.create(
        session=session,
        currency="EUR",
        start_date_time=now,
        end_date_time=now,
        charging_periods=[],
        total_energy=Decimal("2.5"),
        total_time=Decimal("0.5"),
        total_parking_time=Decimal(0),
        total_cost_excl_vat=Decimal("1.0000"),
        total_cost_incl_vat=Decimal("1.2000"),
        cost={},
        remark="Stopped by the driver.",
        invoice_reference_id="2026-001-000001",
    )


def test_a_credit_negates_the_total_cost_only(cdr: CDR) -> None:
    credit = credit_cdr(cdr, "Charged twice.")
    assert (credit.total_cost_excl_vat, credit.total_cost_incl_vat) == (Decimal("-1.0000"), Decimal("-1.2000"))
    assert (credit.total_energy, credit.total_time) == (cdr.total_energy, cdr.total_time)
    assert (credit.is_credit, credit.credited) == (True, cdr)
    assert credit.uid == f"{cdr.uid}-C" and len(credit.uid) <= 39
    assert list(OutboxEvent.objects.values_list("topic", "object_id")) == [("cdr", credit.pk)]


def test_a_cdr_is_credited_once(cdr: CDR) -> None:
    assert credit_cdr(cdr, "Charged twice.") == credit_cdr(cdr, "Again.")
    assert CDR.objects.count() == 2


def test_a_credit_cannot_be_credited(cdr: CDR) -> None:
    with pytest.raises(ValueError, match="cannot be credited"):
        credit_cdr(credit_cdr(cdr, "Charged twice."), "Never mind.")


def test_staff_credit_a_cdr_with_a_reason_and_only_once(cdr: CDR, admin_client: Client) -> None:
    page = reverse("admin:chargers_cdr_credit", args=[cdr.pk])
    assert "Reason" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"reason": ""}).status_code == 200
    assert not CDR.objects.filter(is_credit=True).exists()
    assert admin_client.post(page, {"reason": "Charged twice."}).status_code == 302
    assert CDR.objects.get(is_credit=True).remark == "Charged twice."
    change = admin_client.get(reverse("admin:chargers_cdr_change", args=[cdr.pk])).content.decode()
    assert page not in change


def test_a_viewer_cannot_credit(cdr: CDR, client: Client) -> None:
    viewer = User.objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_cdr"))
    client.force_login(viewer)
    client.post(reverse("admin:chargers_cdr_credit", args=[cdr.pk]), {"reason": "Mine."})
    assert not CDR.objects.filter(is_credit=True).exists()
