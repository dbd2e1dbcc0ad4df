"""A provider that buys wholesale and sells for more: it owes us the tariff, its driver pays factor and surcharge.

Real HTTP and a real charger socket. The provider works the driver's price out of the CDR, which is all that it knows.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.e2e.admin_site import text_of
from tests.e2e.cast import GARAGE_1, Cast
from tests.e2e.settlement import cents

FACTOR, SURCHARGE = Decimal(2), Decimal("0.50")
# The tariff of the garage: what the provider owes us per kWh, and the amount to block, VAT included.
PER_KWH, PREAUTHORISED = Decimal("0.54"), Decimal(40)
BLOCKED = PREAUTHORISED * FACTOR + SURCHARGE
# With the charger's speed-up 4 EUR in a second by the tariff: that alone would come near the limit after 16 s, the
# driver's price does after 6.
FAST_KW = 450
RECONCILIATION = "payments/paymentissue/reconciliation/"


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with Cast(tmp_path_factory.mktemp("retail"), chargers=("DEMO-AC-1",)) as cast:
        sell_for_more(cast)
        yield cast
        cast.check()


def sell_for_more(cast: Cast) -> None:
    """Staff enter the provider's terms; the amount to block arrives."""
    platform = cast.admin.row("roaming/roamingplatform", "terminals")
    terms = {"retail_factor": f"{FACTOR}", "retail_surcharge": f"{SURCHARGE}", "retail_surcharge_vat": "10"}
    cast.admin.save(f"{platform}change/", **terms)
    cast.wait("the driver's amount", lambda: tariff_of(cast)["max_price"]["incl_vat"] == float(BLOCKED))


def tariff_of(cast: Cast) -> dict[str, Any]:
    return next(one for one in cast.ptp.state["tariffs"].values() if one["id"] == "ADHOC-AC")


def tap(cast: Cast) -> dict[str, Any]:
    return cast.tap(GARAGE_1, retail_factor=f"{FACTOR}", retail_surcharge=f"{SURCHARGE}")


def exact(number: Any) -> Decimal:
    """An OCPI number as the decimal that it stands for."""
    return Decimal(str(number))


def four_decimals(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def drivers(wholesale: Any) -> Decimal:
    return cents(exact(wholesale) * FACTOR + SURCHARGE)


def settled(cast: Cast, reference: str) -> tuple[dict[str, Any], Decimal, str]:
    """The CDR, what the provider captured, and the invoice that its driver reads, with the card data."""
    capture = cast.wait("the capture", lambda: cast.ptp.state["captures"].get(reference))
    page = cast.wait("the paid invoice", lambda: paid_page(cast, reference))
    (cdr,) = cast.ptp.known("cdrs", reference)
    return cdr, Decimal(capture["amount"]), page


def paid_page(cast: Cast, reference: str) -> str | None:
    page = text_of(cast.invoice_page(reference))
    return page if "The card was charged." in page else None


def metered_kwh(cast: Cast) -> Decimal:
    charger = cast.charger(GARAGE_1)
    began = charger.events("start_transaction_sent")[-1]["payload"]
    ended = charger.events("stop_transaction_sent")[-1]["payload"]
    return Decimal(ended["meterStop"] - began["meterStart"]) / 1000


def test_the_provider_owes_the_tariff_and_the_driver_pays_the_retail_price(cast: Cast) -> None:
    tapped = tap(cast)
    reference = tapped["authorization_reference"]
    assert exact(tapped["amount"]) == BLOCKED
    # What the terminal showed before the card, and what the tariff itself says.
    (shown,) = [one["text"] for one in tapped["alt_text"] if one["language"] == "en"]
    assert "€1.08 per kWh" in shown and "Plus a service fee of €0.50 per session" in shown
    assert "€80.50 is blocked on your card" in shown
    energy = [one for one in tariff_of(cast)["elements"][0]["price_components"] if one["type"] == "ENERGY"]
    assert [(one["price"], one["vat"]) for one in energy] == [(0.45, 20)]

    cast.wait(f"energy in {reference}", lambda: cast.progress(reference) > 0)
    (running,) = cast.ptp.known("sessions", reference)
    live = exact(running["total_cost"]["incl_vat"])
    assert live == four_decimals(exact(running["kwh"]) * PER_KWH)
    cast.stop_at_charger(GARAGE_1)

    cdr, captured, page = settled(cast, reference)
    wholesale = exact(cdr["total_cost"]["incl_vat"])
    assert wholesale == four_decimals(metered_kwh(cast) * PER_KWH)
    retail = drivers(cdr["total_cost"]["incl_vat"])
    assert captured == retail > cents(wholesale)
    assert f"Invoice {cdr['invoice_reference_id']} {retail} EUR" in page
    assert "Service fee" in page and f"{cents(wholesale)} EUR" not in page
    assert cast.admin.rows("payments/paymentissue", reference) == []


def test_it_is_stopped_before_the_retail_price_exceeds_what_was_blocked(cast: Cast) -> None:
    charger = cast.charger(GARAGE_1)
    charger.post("/power", connector=GARAGE_1.outlet, kw=FAST_KW)
    tapped = tap(cast)
    cdr, captured, page = settled(cast, tapped["authorization_reference"])
    assert cdr["remark"] == "Stopped by us at the pre-authorised amount."
    assert "Ended automatically at the pre-authorised amount." in page
    # Not cut down to it: the energy that flowed costs no more.
    assert drivers(metered_kwh(cast) * PER_KWH) == captured <= BLOCKED


def test_the_books_hold_both_amounts(cast: Cast) -> None:
    bills = [cents(one["total_cost"]["incl_vat"]) for one in cast.ptp.state["cdrs"].values()]
    captures = [Decimal(one["amount"]) for one in cast.ptp.state["captures"].values()]
    _, _, sums = text_of(cast.admin.page(RECONCILIATION)).partition("All EUR ")
    _cdrs, _kwh, billed, drivers_pay, invoiced, expected, captured, difference, still_open = sums.split()[:9]
    assert billed == f"{sum(bills)}"
    assert drivers_pay == invoiced == expected == captured == f"{sum(captures)}"
    assert (difference, still_open) == ("0.00", "0")
