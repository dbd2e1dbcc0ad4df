from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from infrastructure.models import OutboxEvent
from payments import sheets
from payments.mapping import advice_body, gross
from payments.models import FinancialAdviceConfirmation, Invoice
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import open_invoice
from roaming.ocpi.errors import InvalidParameters
from tests.payments import factories


def received(platform: Any, **fields: Any) -> FinancialAdviceConfirmation:
    """An advice, taken and matched."""
    advice, _ = receive_advice(platform, factories.advice_body(**fields))
    match_advice(advice.pk)
    return FinancialAdviceConfirmation.objects.get(pk=advice.pk)


@pytest.fixture
def invoice(platform: Any, evse: Any) -> Invoice:
    invoice = open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    assert invoice is not None
    return invoice


def test_an_advice_brings_the_card_data_to_the_invoice(platform: Any, invoice: Invoice) -> None:
    advice = received(platform, reference=factories.REFERENCE.upper())
    invoice.refresh_from_db()
    assert advice.session == invoice.cdr.session
    assert invoice.eft_data == ["DEBIT MASTERCARD", "**** **** **** 1234", "Amount: EUR 9.80"]
    assert (invoice.capture_status_code, invoice.captured_gross) == ("SUCCESS", Decimal("9.8"))
    assert sheets.payment_of(invoice).title == "Paid by card"


def test_an_unknown_reference_is_parked(platform: Any) -> None:
    assert received(platform, reference="nobody-knows").session is None


def test_another_platforms_session_is_not_touched(platform: Any, operator: Any, invoice: Invoice) -> None:
    other = factories.make_platform(operator, party=("AT", "XYZ"))
    assert received(other).session is None
    invoice.refresh_from_db()
    assert invoice.advice is None


def test_another_platforms_early_advice_is_not_taken(platform: Any, operator: Any, evse: Any) -> None:
    """It waits for a session of its own sender, though one of another with the same reference is billed meanwhile."""
    early = received(factories.make_platform(operator, party=("AT", "XYZ")))
    billed = open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    early.refresh_from_db()
    assert early.session is None
    assert billed is not None and billed.advice is None


def test_the_newest_of_several_counts_and_the_others_stay(platform: Any, invoice: Invoice) -> None:
    received(platform, advice_id="A2", last_updated="2024-03-01T12:00:00Z")
    received(platform, advice_id="A1", capture_status_code="FAILED", last_updated="2024-03-01T11:00:00Z")
    invoice.refresh_from_db()
    assert (invoice.advice.advice_id, invoice.capture_status_code) == ("A2", "SUCCESS")
    assert FinancialAdviceConfirmation.objects.count() == 2


def test_a_retry_after_a_failure_pays_the_invoice(platform: Any, invoice: Invoice) -> None:
    received(platform, advice_id="A1", capture_status_code="FAILED", eft_data=[])
    received(platform, advice_id="A2", last_updated="2024-03-02T12:00:00Z")
    invoice.refresh_from_db()
    assert invoice.capture_status_code == "SUCCESS"


def test_a_failed_capture_without_card_data_leaves_the_invoice_unpaid(platform: Any, invoice: Invoice) -> None:
    body = factories.advice_body(capture_status_code="FAILED")
    del body["eft_data"]
    advice, created = receive_advice(platform, body)
    match_advice(advice.pk)
    invoice.refresh_from_db()
    assert created
    assert (invoice.eft_data, invoice.captured_gross) == ([], Decimal(0))
    assert sheets.payment_of(invoice).title == "Not paid"


def test_the_same_id_again_is_an_update(platform: Any, invoice: Invoice) -> None:
    received(platform)
    advice = received(platform, advice_id="a1", eft_data=["NEW"], last_updated="2024-03-01T10:40:00Z")
    invoice.refresh_from_db()
    assert (FinancialAdviceConfirmation.objects.count(), invoice.eft_data) == (1, ["NEW"])
    assert advice.advice_id == "A1"


def test_an_older_copy_changes_nothing(platform: Any) -> None:
    received(platform)
    OutboxEvent.objects.all().delete()
    advice = received(platform, eft_data=["OLD"], last_updated="2024-03-01T10:00:00Z")
    assert advice.eft_data[0] == "DEBIT MASTERCARD"
    assert not OutboxEvent.objects.exists()


def test_a_corrected_reference_leaves_the_wrong_invoice(platform: Any, invoice: Invoice) -> None:
    received(platform)
    received(platform, reference="another", last_updated="2024-03-01T10:40:00Z")
    invoice.refresh_from_db()
    assert (invoice.advice, invoice.eft_data, invoice.capture_status_code) == (None, [], "")


def test_the_same_news_twice_do_not_move_the_date_of_the_addendum(platform: Any, invoice: Invoice) -> None:
    received(platform)
    invoice.refresh_from_db()
    before = invoice.enriched_at
    received(platform)
    invoice.refresh_from_db()
    assert invoice.enriched_at == before


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        ({"excl_vat": 10, "incl_vat": 12}, "12"),
        ({"excl_vat": 10}, "10"),
        ({"before_taxes": "10.00", "taxes": [{"name": "VAT", "amount": 1.9}, {"name": "x", "amount": 0.1}]}, "12"),
        ({"before_taxes": 10}, "10"),
        ({"excl_vat": 1, "incl_vat": 0}, "0"),
    ],
)
def test_both_shapes_of_a_price_are_understood(price: Any, amount: str) -> None:
    assert gross(price) == Decimal(amount)


def test_an_advice_goes_out_as_it_came_with_the_price_of_this_version(platform: Any) -> None:
    body = factories.advice_body(
        total_costs={"before_taxes": 8.17, "taxes": [{"name": "VAT", "amount": 1.63}]}, custom="kept"
    )
    advice, _ = receive_advice(platform, body)
    assert advice_body(advice) == body | {"total_costs": {"excl_vat": 8.17, "incl_vat": 9.8}}


def test_an_amount_no_database_holds_is_refused(platform: Any) -> None:
    with pytest.raises(InvalidParameters):
        receive_advice(platform, factories.advice_body(total_costs={"excl_vat": 1e12}))


def test_a_capture_that_differs_says_so(platform: Any, invoice: Invoice) -> None:
    received(platform, total_costs={"excl_vat": 8, "incl_vat": 9.6}, capture_status_code="PARTIAL_SUCCESS")
    invoice.refresh_from_db()
    assert sheets.payment_of(invoice).text == "9.60 EUR of 9.80 EUR was charged to the card."


def test_a_clock_that_is_ahead_does_not_swallow_the_correction(platform: Any) -> None:
    ahead = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    receive_advice(platform, factories.advice_body(capture_status_code="FAILED", last_updated=ahead))
    receive_advice(platform, factories.advice_body(capture_status_code="SUCCESS", last_updated=None))
    assert FinancialAdviceConfirmation.objects.get().capture_status_code == "SUCCESS"
