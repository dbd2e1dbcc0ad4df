"""The CDR's four decimals decide the cent: capture, invoice, VAT and books say the same on both sides of half."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from chargers.models import CDR
from payments.models import Invoice, PaymentIssue
from payments.services.advices import receive_advice
from payments.services.book_entries import Selection
from payments.services.reconciliation import books
from roaming.choices import Module
from roaming.models import Document
from tariffs.pricing import money
from tests.payments import factories
from tests.payments.paid_sessions import charged, make_partner

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kwh", "published", "cents"),
    [
        ("10.324", "5.5750", "5.58"),  # 0.54 x 10.324 is 5.57496, which is 5.5750 in four decimals
        ("10.250", "5.5350", "5.54"),  # half a cent exactly
        ("10.251", "5.5355", "5.54"),  # 5.53554
    ],
)
def test_everyone_says_the_same_cents(kwh: str, published: str, cents: str) -> None:
    session = charged(make_partner(), kwh=kwh)
    cdr, told = CDR.objects.get(), Document.objects.get(module=Module.CDRS).body
    assert session.total_cost_incl_vat == cdr.total_cost_incl_vat == Decimal(published)
    assert told["total_cost"]["incl_vat"] == float(published)
    assert cdr.cost["lines"][0]["incl_vat"] == published
    assert [entry["gross"] for entry in cdr.cost["vat_totals"]] == [cents]
    # What the partner captures: all that it knows is the CDR.
    assert money(Decimal(str(told["total_cost"]["incl_vat"])), "EUR") == Decimal(cents)
    invoice = Invoice.objects.get()
    assert invoice.total_gross == Decimal(cents)
    for entries in (invoice.lines, invoice.vat_totals):
        assert sum(Decimal(entry["gross"]) for entry in entries) == Decimal(cents)
    user, now = get_user_model().objects.create_superuser("boss"), timezone.now()
    found = books(Selection(now - timedelta(days=1), now + timedelta(days=1)), user)
    ((_, total),) = found.totals
    assert total.billed == total.invoiced == total.expected == found.vat[0].gross == Decimal(cents)


def test_a_capture_is_read_as_the_cents_that_it_is() -> None:
    """A partner that tells more decimals than OCPI has is understood as the CDR is."""
    platform = make_partner()
    charged(platform, kwh="10.324")
    costs = {"excl_vat": 4.6458, "incl_vat": 5.57496}
    advice, _ = receive_advice(platform, factories.advice_body("A1", "REF-1", total_costs=costs))
    assert money(advice.total_gross, "EUR") == Decimal("5.58")
    assert not PaymentIssue.objects.filter(kind="AMOUNT_DIFFERS").exists()
