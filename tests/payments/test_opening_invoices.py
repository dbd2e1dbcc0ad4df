from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import StopReason
from chargers.models import CDR
from chargers.services.cdrs import credit_cdr
from infrastructure.models import Connector
from payments.choices import InvoiceCreator
from payments.models import Invoice, InvoiceSeries, Terminal
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import credit_invoice, open_invoice
from payments.sheets import sheet_of
from roaming.choices import PlatformType
from tests.payments import factories

pytestmark = pytest.mark.django_db


def opened(cdr: CDR) -> Invoice:
    invoice = open_invoice(cdr.pk)
    assert invoice is not None
    return invoice


def test_a_cdr_becomes_an_invoice_and_carries_its_number(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    invoice = opened(cdr)
    cdr.refresh_from_db()
    assert cdr.invoice_reference_id == invoice.number
    assert len(invoice.number) <= 39
    assert invoice.total_gross == Decimal("9.80")
    assert invoice.preauthorised == Decimal(50)
    assert invoice.seller["name"] == "Acme Charging GmbH"
    assert invoice.place["evse_id"] == evse.evse_id
    assert invoice.stop_reason.startswith("Ended by you")


def test_opening_twice_gives_the_same_invoice(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    assert opened(cdr) == opened(cdr)
    assert InvoiceSeries.objects.get().last_number == 1


def test_numbers_follow_each_other_per_operator(platform: Any, evse: Any) -> None:
    other = factories.make_operator("Beta")
    platform.profiles.get().operators.add(other)
    elsewhere = factories.make_evse(factories.make_area(other, "GRZ"))
    places = [evse, elsewhere, evse]
    numbers = [
        opened(factories.make_cdr(factories.make_session(platform, place, f"ref-{n}"))).number
        for n, place in enumerate(places)
    ]
    assert [number.rpartition("-")[2] for number in numbers] == ["000001", "000001", "000002"]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(
    ("now", "year", "day"),
    [
        (datetime(2026, 12, 31, 22, 30, tzinfo=UTC), "2026-", "31 December 2026"),  # 23:30 at the seller in Vienna
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "2027-", "1 January 2027"),
    ],
)
def test_year_and_date_are_the_sellers_wherever_was_charged(
    platform: Any, evse: Any, monkeypatch: pytest.MonkeyPatch, now: datetime, year: str, day: str
) -> None:
    """In Athens it is an hour later, in Lisbon an hour earlier: numbers of a year follow each other all the same."""
    monkeypatch.setattr(timezone, "now", lambda: now)
    numbers = []
    for zone in ("Europe/Athens", "Europe/Lisbon"):
        cdr = factories.make_cdr(factories.make_session(platform, evse, zone, time_zone=zone))
        invoice = opened(cdr)
        note = credit_invoice(invoice, "Wrong.")
        numbers += [invoice.number, note.number]
        assert [sheet_of(one).issued for one in (invoice, note)] == [day, day]
    series = [number.removeprefix(year).partition("-")[2] for number in numbers]
    assert series == ["000001", "C000001", "000002", "C000002"]


def test_a_failure_after_the_number_was_taken_gives_it_back(
    platform: Any, evse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = factories.make_cdr(factories.make_session(platform, evse, "ref-1"))
    with monkeypatch.context() as patch:
        patch.setattr("payments.services.invoices.refresh_capture", lambda invoice: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_invoice(first.pk)
    second = factories.make_cdr(factories.make_session(platform, evse, "ref-2"))
    assert opened(second).number.endswith("-000001")
    assert opened(first).number.endswith("-000002")


@pytest.mark.parametrize("partner", ["nobody", "emsp"])
def test_only_terminal_sessions_are_invoiced(operator: Any, evse: Any, partner: str) -> None:
    peer = None if partner == "nobody" else factories.make_platform(operator, type=PlatformType.EMSP)
    cdr = factories.make_cdr(factories.make_session(peer, evse))
    assert open_invoice(cdr.pk) is None
    cdr.refresh_from_db()
    assert cdr.invoice_reference_id == ""


def test_a_credit_is_not_invoiced(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse), is_credit=True)
    assert open_invoice(cdr.pk) is None


def served_by(platform: Any, evse: Any, *creators: str) -> list[Terminal]:
    terminals = [
        factories.make_terminal(platform, f"T{n}", invoice_creator=creator) for n, creator in enumerate(creators)
    ]
    terminals[0].evses.add(evse)
    for terminal in terminals[1:]:
        terminal.locations.add(evse.charger.location)
    return terminals


@pytest.mark.parametrize(
    ("creators", "is_ours"),
    [(["PTP"], False), (["PTP", "PTP"], False), (["CPO"], True), ([""], True), (["PTP", ""], True)],
)
def test_the_ptp_invoices_where_all_its_terminals_say_so(
    platform: Any, evse: Any, creators: list[str], is_ours: bool
) -> None:
    served_by(platform, evse, *creators)
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    assert (open_invoice(cdr.pk) is not None) is is_ours


@pytest.mark.parametrize(("first", "later"), [("PTP", "CPO"), ("CPO", "PTP")])
def test_who_invoices_is_decided_once_whatever_becomes_of_the_terminals(
    platform: Any, evse: Any, first: str, later: str
) -> None:
    (terminal,) = served_by(platform, evse, first)
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    open_invoice(cdr.pk)
    Terminal.objects.filter(pk=terminal.pk).update(invoice_creator=later)
    credit = credit_cdr(cdr, "Wrong.")
    corrected = factories.make_cdr(CDR.objects.get(pk=cdr.pk).session, "5.0000")
    is_ours = first == "CPO"
    assert (open_invoice(credit.pk) is not None, open_invoice(corrected.pk) is not None) == (is_ours, is_ours)
    assert (open_invoice(cdr.pk) is not None) is is_ours


def test_another_platforms_terminal_does_not_decide_who_invoices(platform: Any, operator: Any, evse: Any) -> None:
    served_by(factories.make_platform(operator, party=("AT", "XYZ")), evse, InvoiceCreator.PTP)
    assert opened(factories.make_cdr(factories.make_session(platform, evse)))


def test_a_deleted_connector_does_not_lose_the_seller(platform: Any, evse: Any, operator: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    Connector.objects.all().delete()
    assert opened(cdr).operator == operator


def test_sessions_without_a_reference_have_an_invoice_each(platform: Any, evse: Any) -> None:
    sessions = [factories.make_session(platform, evse, "") for _ in range(2)]
    assert [opened(factories.make_cdr(session)).authorization_reference for session in sessions] == [
        session.uid for session in sessions
    ]


def test_the_stop_at_the_limit_is_named(platform: Any, evse: Any) -> None:
    session = factories.make_session(platform, evse, stop_reason=StopReason.LIMIT)
    assert "pre-authorised amount" in opened(factories.make_cdr(session)).stop_reason


def test_an_advice_that_came_first_is_on_the_invoice_at_once(platform: Any, evse: Any) -> None:
    advice, _ = receive_advice(platform, factories.advice_body())
    match_advice(advice.pk)
    session = factories.make_session(platform, evse, factories.REFERENCE.upper())
    invoice = opened(factories.make_cdr(session))
    advice.refresh_from_db()
    assert advice.session == session
    assert (invoice.advice, invoice.eft_data[0], invoice.captured_gross) == (
        advice,
        "DEBIT MASTERCARD",
        Decimal("9.8"),
    )


def test_nothing_but_the_card_data_of_an_invoice_ever_changes(platform: Any, evse: Any) -> None:
    invoice = opened(factories.make_cdr(factories.make_session(platform, evse)))
    fixed = ("number", "issued_at", "seller", "place", "lines", "vat_totals", "total_net", "total_gross", "currency")
    invoice.refresh_from_db()
    before = [getattr(invoice, name) for name in fixed]
    evse.charger.location.operator.legal_name = "Renamed"
    evse.charger.location.operator.save()
    advice, _ = receive_advice(platform, factories.advice_body(total_costs={"excl_vat": 90, "incl_vat": 99}))
    match_advice(advice.pk)
    open_invoice(invoice.cdr_id)
    invoice.refresh_from_db()
    assert [getattr(invoice, name) for name in fixed] == before
    assert invoice.captured_gross == Decimal(99)
    assert invoice.enriched_at is not None
