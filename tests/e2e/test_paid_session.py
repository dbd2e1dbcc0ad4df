"""A driver pays at a terminal and gets an invoice with the card data, whoever ends the session."""

from decimal import Decimal

from tests.e2e.admin_site import text_of
from tests.e2e.cast import GARAGE_1, MOTORWAY, Cast, Charger
from tests.e2e.settlement import cents, settle_once

# So fast that the blocked 25 EUR are reached after seconds.
FAST_KW, USUAL_KW = 2400, 150
AGES_AGO = "2020-01-01T00:00:00.000Z"


def metered_kwh(charger: Charger) -> Decimal:
    """By the register, from the last start to the last stop."""
    began = charger.events("start_transaction_sent")[-1]["payload"]
    ended = charger.events("stop_transaction_sent")[-1]["payload"]
    return Decimal(ended["meterStop"] - began["meterStart"]) / 1000


def test_the_driver_stops_at_the_charger(cast: Cast) -> None:
    (reference,) = cast.begin(GARAGE_1)
    cast.stop_at_charger(GARAGE_1)
    settled = settle_once(cast, reference)
    assert settled.cdr["remark"] == "Stopped by the driver."
    assert "Ended by you at the vehicle or the charger." in settled.page
    kwh = metered_kwh(cast.charger(GARAGE_1))
    assert Decimal(str(settled.cdr["total_energy"])) == kwh
    # 0.45 EUR/kWh and 20 % VAT; nobody parked.
    assert settled.amount == cents(kwh * Decimal("0.54"))


def test_the_driver_stops_at_the_terminal(cast: Cast) -> None:
    (reference,) = cast.begin(GARAGE_1)
    stop = cast.ptp.post("/control/stop", authorization_reference=reference)
    assert stop["response"] == "ACCEPTED"
    settled = settle_once(cast, reference)
    assert cast.ptp.state["command_results"][stop["command"]]["result"] == "ACCEPTED"
    assert settled.cdr["remark"] == "Stopped from the payment terminal or app."
    assert "Ended at the payment terminal." in settled.page


def test_we_stop_before_the_cost_exceeds_what_was_blocked(cast: Cast) -> None:
    cast.charger(MOTORWAY).post("/power", connector=MOTORWAY.outlet, kw=FAST_KW)
    tap = cast.tap(MOTORWAY)
    settled = settle_once(cast, tap["authorization_reference"])
    cast.charger(MOTORWAY).post("/power", connector=MOTORWAY.outlet, kw=USUAL_KW)
    assert settled.amount <= Decimal(str(tap["amount"])) == 25
    assert settled.cdr["remark"] == "Stopped by us at the pre-authorised amount."
    assert "Ended automatically at the pre-authorised amount." in settled.page


def test_a_second_advice_corrects_the_invoice_and_both_are_kept(cast: Cast) -> None:
    (reference,) = cast.begin(GARAGE_1)
    cast.stop_at_charger(GARAGE_1)
    first = settle_once(cast, reference)
    cast.ptp.post("/control/advice", authorization_reference=reference, eft_data=["Old slip"], last_updated=AGES_AGO)
    correction = {"eft_data": ["Corrected slip"], "capture_status_code": "FAILED"}
    cast.ptp.post("/control/advice", authorization_reference=reference, **correction)
    page = cast.wait("the correction", lambda: page_with(cast, reference, "Corrected slip"))
    assert "Not paid" in page
    assert "Old slip" not in page
    # What was invoiced stays what it was.
    assert (
        page.split("Charging session")[1].split("Payment")[0]
        == first.page.split("Charging session")[1].split("Payment")[0]
    )
    assert len(cast.admin.rows("payments/financialadviceconfirmation", reference)) == 3


def page_with(cast: Cast, reference: str, line: str) -> str | None:
    page = text_of(cast.invoice_page(reference))
    return page if line in page else None
