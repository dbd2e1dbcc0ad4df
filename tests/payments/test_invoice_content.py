from decimal import Decimal
from typing import Any

from payments.invoices import apportioned, content
from tests.payments.factories import ENERGY, line


def make(total: str, lines: list[dict[str, Any]], *gross_per_rate: tuple[str | None, str]) -> Any:
    rates = [{"vat": vat, "gross": gross} for vat, gross in gross_per_rate]
    return content({"lines": lines, "vat_totals": rates}, Decimal(total), "EUR")


def sum_of(entries: list[dict[str, Any]], key: str) -> Decimal:
    return sum((Decimal(entry[key]) for entry in entries), Decimal(0))


def test_a_line_shows_the_gross_price_per_unit() -> None:
    (energy,) = make("9.7992", [ENERGY], ("20", "9.80")).lines
    assert (energy["text"], energy["quantity"], energy["unit"], energy["unit_price"], energy["gross"]) == (
        "Energy",
        "20",
        "kWh",
        "0.49",
        "9.80",
    )


def test_lines_and_rates_add_up_to_the_rounded_total() -> None:
    thirds = [line("ENERGY", "1", "0.3", "0.3000", "0.3333", "11.1")] * 3
    invoice = make("0.9999", thirds, ("11.1", "0.50"), ("20", "0.49"))
    assert invoice.total_gross == Decimal("1.00")
    assert sum_of(invoice.lines, "gross") == sum_of(invoice.vat_totals, "gross") == Decimal("1.00")
    assert invoice.total_net == sum_of(invoice.vat_totals, "net")
    for rate in invoice.vat_totals:
        assert Decimal(rate["net"]) + Decimal(rate["vat_amount"]) == Decimal(rate["gross"])


def test_a_total_that_the_cdr_rounds_up_takes_the_rates_along() -> None:
    # 9.84499996 is 9.8450 in OCPI's four decimals and so 9.85 to the partner, while its rates say 9.84.
    invoice = make("9.8450", [ENERGY], ("20", "9.84"))
    assert [rate["gross"] for rate in invoice.vat_totals] == ["9.85"]


def test_a_capped_total_has_a_line_of_its_own_for_the_reduction() -> None:
    invoice = make("5.0000", [ENERGY], ("20", "5.00"))
    assert [entry["gross"] for entry in invoice.lines] == ["9.80", "-4.80"]
    assert invoice.lines[1]["text"] == "Reduced to the maximum price"


def test_a_minimum_price_without_anything_else_to_pay_is_a_line() -> None:
    invoice = make("1.2000", [line("ENERGY", "0", "0.4", "0", "0")], ("20", "1.20"))
    assert [(entry["text"], entry["gross"]) for entry in invoice.lines] == [("Minimum price", "1.20")]


def test_time_that_costs_nothing_is_not_listed() -> None:
    invoice = make("9.7992", [ENERGY, line("TIME", "1.5", "0", "0.0000", "0.0000")], ("20", "9.80"))
    assert [entry["dimension"] for entry in invoice.lines] == ["ENERGY"]


def test_a_session_without_a_price_is_an_invoice_of_zero() -> None:
    invoice = make("0", [])
    assert (invoice.total_gross, invoice.lines) == (Decimal("0.00"), [])
    assert invoice.vat_totals == [{"vat": None, "net": "0.00", "vat_amount": "0.00", "gross": "0.00"}]


def test_shares_are_in_the_decimals_of_the_currency() -> None:
    assert apportioned([Decimal("10.4"), Decimal("10.4")], Decimal(21), "JPY") == [Decimal(11), Decimal(10)]
