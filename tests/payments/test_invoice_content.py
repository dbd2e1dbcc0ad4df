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
    thirds = [line("ENERGY", "1", "0.3", "0.3000", "0.3333", rate) for rate in ("11.1", "11.1", "20")]
    invoice = make("0.9999", thirds, ("11.1", "0.67"), ("20", "0.33"))
    assert invoice.total_gross == Decimal("1.00")
    assert sum_of(invoice.lines, "gross") == sum_of(invoice.vat_totals, "gross") == Decimal("1.00")
    assert invoice.total_net == sum_of(invoice.vat_totals, "net")
    for rate in invoice.vat_totals:
        assert Decimal(rate["net"]) + Decimal(rate["vat_amount"]) == Decimal(rate["gross"])


def by_rate(entries: list[dict[str, Any]]) -> dict[str | None, Decimal]:
    sums: dict[str | None, Decimal] = {}
    for one in entries:
        sums[one["vat"]] = sums.get(one["vat"], Decimal(0)) + Decimal(one["gross"])
    return sums


def test_the_lines_of_each_rate_add_up_to_its_total() -> None:
    """Whoever books by rate finds the same cent in the lines: 0.0347 of 9 % has the cent that the total rounds up."""
    fee, time = (
        line("FLAT", "1", "0.5", "0.5000", "0.5000", "0"),
        line("TIME", "0.0289", "1.1", "0.0318", "0.0347", "9"),
    )
    energy = line("ENERGY", "38.133", "0.4489", "17.1179", "20.7127", "21")
    invoice = make("21.2473", [fee, energy, time], ("0", "0.50"), ("9", "0.04"), ("21", "20.71"))
    assert by_rate(invoice.lines) == by_rate(invoice.vat_totals)
    assert sum_of(invoice.lines, "gross") == Decimal("21.25")


def test_a_limit_acts_on_each_rate() -> None:
    """A cap is spread over the rates, and so are the lines that tell of it."""
    energy, time = (
        line("ENERGY", "12", "0.5", "6.0000", "7.2000", "20"),
        line("TIME", "3", "5", "15.0000", "15.0000", None),
    )
    capped = make("20.0000", [energy, time], (None, "13.51"), ("20", "6.49"))
    assert by_rate(capped.lines) == by_rate(capped.vat_totals)
    reductions = [(one["text"], one["vat"], one["gross"]) for one in capped.lines[2:]]
    assert reductions == [
        ("Reduced to the maximum price", "20", "-0.71"),
        ("Reduced to the maximum price", None, "-1.49"),
    ]


def test_a_total_that_the_cdr_rounds_up_takes_the_rates_along() -> None:
    # 9.84499996 is 9.8450 in OCPI's four decimals and so 9.85 to the partner, while its rates say 9.84.
    invoice = make("9.8450", [ENERGY], ("20", "9.84"))
    assert [rate["gross"] for rate in invoice.vat_totals] == ["9.85"]


def test_a_capped_total_has_a_line_of_its_own_for_the_reduction() -> None:
    invoice = make("5.0000", [ENERGY], ("20", "5.00"))
    assert [entry["gross"] for entry in invoice.lines] == ["9.80", "-4.80"]
    assert (invoice.lines[1]["text"], invoice.lines[1]["vat"]) == ("Reduced to the maximum price", "20")


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
