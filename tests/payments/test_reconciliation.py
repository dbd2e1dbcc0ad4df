"""What the books say, on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.choices import Network
from chargers.services.cdrs import credit_cdr
from infrastructure.models import OperatorMembership
from payments.models import Invoice, Terminal
from payments.services import exports
from payments.services.advices import match_advice, receive_advice
from payments.services.book_entries import UNKNOWN_TERMINAL, Selection
from payments.services.invoices import open_invoice
from payments.services.reconciliation import Books, books, months
from tests.payments import factories
from tests.roaming.factories import RegisteredPlatformFactory


def selection(**fields: Any) -> Selection:
    now = timezone.now()
    return Selection(now - timedelta(days=1), now + timedelta(days=1), **fields)


@pytest.fixture
def boss(db: None) -> Any:
    return get_user_model().objects.create_superuser("boss")


def paid(platform: Any, evse: Any, reference: str, total: str, captured: str | None, **advice: Any) -> Any:
    session = factories.make_session(platform, evse, reference)
    cdr = factories.make_cdr(session, total)
    open_invoice(cdr.pk)
    if captured is not None:
        capture(platform, reference, captured, **advice)
    return cdr


def capture(platform: Any, reference: str, amount: str, advice_id: str = "", **advice: Any) -> None:
    costs = {"excl_vat": float(amount), "incl_vat": float(amount)}
    body = factories.advice_body(advice_id or f"A-{reference}", reference, total_costs=costs, **advice)
    row, _ = receive_advice(platform, body)
    match_advice(row.pk)


def test_sums_of_cdrs_invoices_and_captures(platform: Any, evse: Any, boss: Any) -> None:
    paid(platform, evse, "r1", "9.7992", "9.80")
    paid(platform, evse, "r2", "4.9950", "4.50")
    paid(platform, evse, "r3", "1.0049", None)
    (row,) = books(selection(), boss).rows
    amounts = row.amounts
    assert (row.operator, row.platform, row.currency) == ("Acme Charging", platform.name, "EUR")
    assert (amounts.cdrs, amounts.kwh) == (3, Decimal(60))
    assert amounts.gross == Decimal("15.7991")
    assert (amounts.billed, amounts.invoiced) == (Decimal("15.80"), Decimal("15.80"))
    assert (amounts.captured, amounts.expected) == (Decimal("14.30"), Decimal("15.80"))
    assert (amounts.difference, amounts.open_items) == (Decimal("-1.50"), 2)


def test_a_failed_capture_and_one_in_another_currency_count_nothing(platform: Any, evse: Any, boss: Any) -> None:
    paid(platform, evse, "r1", "9.80", "9.80", capture_status_code="FAILED")
    paid(platform, evse, "r2", "9.80", "9.80", currency="CHF")
    result = books(selection(), boss)
    assert (result.rows[0].amounts.captured, result.rows[0].amounts.open_items) == (0, 2)
    assert [(one.currency, one.captured) for one in result.strays] == [("CHF", Decimal("9.80"))]


def test_captures_for_no_session_stand_beside(platform: Any, evse: Any, boss: Any) -> None:
    capture(platform, "nobody", "3.10", "A1")
    capture(platform, "NOBODY", "3.20", "A2", last_updated="2024-03-01T12:00:00Z")
    (stray,) = books(selection(), boss).strays
    assert (stray.count, stray.captured) == (1, Decimal("3.20"))


def test_a_credit_takes_its_bill_back(platform: Any, evse: Any, boss: Any) -> None:
    cdr = paid(platform, evse, "r1", "9.80", "9.80")
    open_invoice(credit_cdr(cdr, "Wrong.").pk)
    amounts = books(selection(), boss).rows[0].amounts
    assert (amounts.billed, amounts.captured, amounts.difference) == (0, Decimal("9.80"), Decimal("9.80"))
    assert amounts.open_items == 1


def test_currencies_without_and_with_three_decimals_are_rounded_as_money(platform: Any, evse: Any, boss: Any) -> None:
    for number, (currency, total) in enumerate((("JPY", "1499.5"), ("KWD", "1.2345"), ("EUR", "0.0050"))):
        session = factories.make_session(platform, evse, f"r{number}", currency=currency)
        factories.make_cdr(session, total)
    billed = {row.currency: row.amounts.billed for row in books(selection(), boss).rows}
    assert billed == {"JPY": Decimal(1500), "KWD": Decimal("1.235"), "EUR": Decimal("0.01")}


def test_vat_per_rate_is_that_of_the_invoices(platform: Any, evse: Any, boss: Any) -> None:
    paid(platform, evse, "r1", "9.80", "9.80")
    paid(platform, evse, "r2", "9.80", None)
    (row,) = books(selection(), boss).vat
    assert (row.rate, row.net, row.vat_amount, row.gross) == (
        Decimal(20),
        Decimal("16.34"),
        Decimal("3.26"),
        Decimal("19.60"),
    )


def test_an_empty_period_has_empty_books(boss: Any) -> None:
    assert books(selection(), boss) == Books([], [], [], [], [], [], [])


def test_who_sells_decides_what_the_partner_owes(platform: Any, evse: Any, operator: Any, boss: Any) -> None:
    paid(platform, evse, "r1", "9.80", "9.50")
    factories.make_terminal(platform, operator=operator, invoice_creator="PTP").evses.add(evse)
    paid(platform, evse, "r2", "5.00", None)
    (payout,) = books(selection(), boss).payouts
    assert payout.owed == Decimal("14.50")


def test_two_partners_of_one_name_are_two_payouts(platform: Any, evse: Any, boss: Any) -> None:
    other = RegisteredPlatformFactory(name=platform.name, type=platform.type)
    paid(platform, evse, "r1", "9.80", "9.80")
    paid(other, evse, "r2", "5.00", "5.00")
    owed = [payout.owed for payout in books(selection(), boss).payouts]
    assert sorted(owed) == [Decimal("5.00"), Decimal("9.80")]


def test_the_home_network_owes_nothing_and_is_apart(platform: Any, evse: Any, boss: Any) -> None:
    factories.make_cdr(factories.make_session(None, evse, "", network=Network.HOME))
    factories.make_cdr(factories.make_session(platform, evse, network=Network.AWAY))
    assert {row.network for row in books(selection(), boss).rows} == {"HOME", "AWAY"}
    (home,) = books(selection(network="HOME"), boss).rows
    assert (home.platform, home.amounts.owed, home.amounts.expected) == ("none", 0, 0)


class TestTheTerminal:
    def names(self, boss: Any) -> list[str]:
        return [row.terminal for row in books(selection(), boss).terminals]

    def test_the_only_one_that_serves_the_outlet(self, platform: Any, area: Any, evse: Any, boss: Any) -> None:
        terminal = factories.make_terminal(platform, "T9")
        terminal.locations.add(area)
        terminal.evses.add(evse)
        paid(platform, evse, "pp-T1-1", "1.00", None)
        assert self.names(boss) == ["T9"]
        assert books(selection(terminal=str(terminal.pk)), boss).rows[0].amounts.cdrs == 1
        assert books(selection(terminal=UNKNOWN_TERMINAL), boss).rows == []

    def test_of_several_the_one_in_the_reference(self, platform: Any, area: Any, evse: Any, boss: Any) -> None:
        for name in ("T1", "T12", "1"):
            factories.make_terminal(platform, name).locations.add(area)
        paid(platform, evse, "pp-t12-000123", "1.00", None)
        assert self.names(boss) == ["T12"]

    def test_otherwise_unknown(self, platform: Any, evse: Any, boss: Any) -> None:
        other = factories.make_platform(evse.charger.location.operator, party=("AT", "XYZ"))
        factories.make_terminal(other, "T1").evses.add(evse)
        paid(platform, evse, "pp-T1-1", "1.00", None)
        assert self.names(boss) == ["unknown"]
        assert books(selection(terminal=str(Terminal.objects.get().pk)), boss).rows == []
        assert books(selection(terminal=UNKNOWN_TERMINAL), boss).rows[0].amounts.cdrs == 1

    def test_one_that_moves_later_takes_no_closed_month_along(self, platform: Any, evse: Any, boss: Any) -> None:
        terminal = factories.make_terminal(platform, "T9")
        terminal.evses.add(evse)
        cdr = paid(platform, evse, "pp-1", "1.00", "1.00")
        terminal.evses.clear()
        factories.make_terminal(platform, "T10").evses.add(evse)
        open_invoice(credit_cdr(cdr, "Wrong.").pk)
        (row,) = books(selection(), boss).terminals
        assert (row.terminal, row.amounts.cdrs, row.amounts.billed) == ("T9", 2, 0)


def test_currencies_are_never_added_up_together(platform: Any, evse: Any, boss: Any) -> None:
    """Two currencies of one partner at one outlet, and two VAT rates of one invoice."""
    factories.make_terminal(platform, "T9").evses.add(evse)
    for reference, currency, total in (("r1", "EUR", "10.00"), ("r2", "EUR", "2.50"), ("r3", "CHF", "7.00")):
        rates = [("20", str(Decimal(total) - 1)), ("10", "1.00")]
        cost = {"lines": [], "vat_totals": [{"vat": rate, "gross": gross} for rate, gross in rates]}
        session = factories.make_session(platform, evse, reference, currency=currency)
        open_invoice(factories.make_cdr(session, total, cost=cost).pk)
        capture(platform, reference, total, currency=currency)
    found = books(selection(), boss)
    per_currency = {"CHF": Decimal("7.00"), "EUR": Decimal("12.50")}
    assert {currency: amounts.billed for currency, amounts in found.totals} == per_currency
    for table in (found.rows, found.terminals):
        assert {row.currency: row.amounts.captured for row in table} == per_currency
        assert [row.amounts.open_items for row in table] == [0, 0]
    assert {row.currency: row.owed for row in found.payouts} == per_currency
    gross = {(row.currency, row.rate): row.gross for row in found.vat}
    assert gross == {
        ("CHF", Decimal(10)): Decimal("1.00"),
        ("CHF", Decimal(20)): Decimal("6.00"),
        ("EUR", Decimal(10)): Decimal("2.00"),
        ("EUR", Decimal(20)): Decimal("10.50"),
    }
    # Per rate and in all, as on the invoices themselves.
    assert all(row.net + row.vat_amount == row.gross for row in found.vat)
    for currency in per_currency:
        net = sum(one.total_net for one in Invoice.objects.filter(currency=currency))
        assert sum(row.net for row in found.vat if row.currency == currency) == net
    year = months(selection(), boss, ZoneInfo("Europe/Vienna"))
    assert {one.currency: one.billed for one in year} == per_currency


def test_staff_see_the_books_of_their_operators_only(platform: Any, evse: Any, operator: Any) -> None:
    beta = factories.make_operator("Beta")
    platform.profiles.get().operators.add(beta)
    far = factories.make_evse(factories.make_area(beta, "FAR"))
    paid(platform, evse, "r1", "1.00", "1.00")
    paid(platform, far, "r2", "2.00", "2.00")
    capture(platform, "nobody", "3.00")
    ann = get_user_model().objects.create_user("ann", is_staff=True)
    OperatorMembership.objects.create(user=ann, operator=beta)
    result = books(selection(), ann)
    assert [row.operator for row in result.rows] == ["Beta"]
    assert [row.gross for row in result.vat] == [Decimal("9.80")] or result.vat[0].gross == Decimal("2.00")
    assert result.strays == []
    assert books(selection(operator=operator.pk), ann).rows == []


def test_the_number_of_queries_does_not_grow(
    platform: Any, evse: Any, boss: Any, django_assert_max_num_queries: Any
) -> None:
    """Terminals, platforms and operators are not looked up per CDR. Three are the transaction's own."""
    for number in range(4):
        paid(platform, evse, f"r{number}", "9.80", "9.70")
    with django_assert_max_num_queries(9):
        books(selection(), boss)


def test_a_credit_takes_energy_back_on_its_own_day(platform: Any, evse: Any, boss: Any) -> None:
    """A closed month stays closed: its kWh, too. And the rows of the file add up to it."""
    cdr = paid(platform, evse, "r1", "9.7992", "9.80")
    credit = credit_cdr(cdr, "Charged by mistake.")
    january, february = (
        Selection(*(datetime(2024, month, 1, tzinfo=UTC) for month in two)) for two in ((1, 2), (2, 3))
    )
    for row, month in ((cdr, 1), (credit, 2)):
        type(row).objects.filter(pk=row.pk).update(created_at=datetime(2024, month, 10, tzinfo=UTC))
    for month, kwh in ((january, Decimal(20)), (february, Decimal(-20))):
        ((_, total),) = books(month, boss).totals
        (row,) = exports.entry_rows(month, boss, ZoneInfo("UTC"))
        assert total.kwh == dict(zip(map(str, exports.HEAD), row, strict=True))["kWh"] == kwh
        assert row[0] == datetime(2024, 1 if month is january else 2, 10)


def test_months_in_the_time_of_the_site(platform: Any, evse: Any, boss: Any) -> None:
    for at, reference in (("2024-03-31T21:59:00", "r1"), ("2024-03-31T22:01:00", "r2")):
        cdr = paid(platform, evse, reference, "1.00", "1.00")
        type(cdr).objects.filter(pk=cdr.pk).update(created_at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    whole = Selection(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC))
    found = months(whole, boss, ZoneInfo("Europe/Vienna"))
    assert [(one.month.month, one.billed, one.captured) for one in found] == [
        (3, Decimal("1.00"), Decimal("1.00")),
        (4, Decimal("1.00"), Decimal("1.00")),
    ]


def test_the_months_of_a_year_are_one_look(platform: Any, evse: Any, boss: Any) -> None:
    """By currency, the first of them cut off where the twelve months begin; each says what its books say."""
    zone = ZoneInfo("Europe/Vienna")
    moments = ("2023-12-31T22:59:00", "2023-12-31T23:00:00", "2024-03-31T21:59:00", "2024-03-31T22:00:00")
    for number, (at, currency) in enumerate(zip(moments, ("EUR", "EUR", "CHF", "EUR"), strict=True), 1):
        session = factories.make_session(platform, evse, f"r{number}", currency=currency)
        cdr = factories.make_cdr(session, f"{number}.00")
        open_invoice(cdr.pk)
        capture(platform, f"r{number}", "1.00", currency=currency)
        type(cdr).objects.filter(pk=cdr.pk).update(created_at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    with CaptureQueriesContext(connection) as queries:
        shown = months(Selection(datetime(2024, 1, 1, tzinfo=zone), datetime(2025, 1, 1, tzinfo=zone)), boss, zone)
    assert sum("chargers_cdr" in query["sql"] for query in queries) == 1
    expected = [("2024-01", "EUR", 2), ("2024-03", "CHF", 3), ("2024-04", "EUR", 4)]
    assert [(f"{one.month:%Y-%m}", one.currency, one.billed) for one in shown] == expected
    for one in shown:
        following = (one.month + timedelta(days=32)).replace(day=1)
        ((currency, total),) = books(Selection(one.month, following), boss).totals
        assert (currency, total.billed, total.captured) == (one.currency, one.billed, one.captured)
