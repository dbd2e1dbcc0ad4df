"""Money: holds, captures, and the financial advice that tells the CPO about them."""

import uuid
from decimal import Decimal
from functools import partial
from typing import Any

from payments.simulator.book import Object
from payments.simulator.cards import eft_lines
from payments.simulator.client import Unreachable
from payments.simulator.money import Capture, capture, cents, drivers_price
from payments.simulator.office import Office
from payments.simulator.wire import now

FIRST_RETRY, LONGEST_RETRY = 0.5, 5.0
CAPTURED_MESSAGES = {
    "SUCCESS": "Captured at the PSP",
    "PARTIAL_SUCCESS": "Captured up to the amount that was held",
    "FAILED": "Capture refused by the PSP",
}


def release(office: Office, reference: str, reason: str) -> None:
    """Gives a hold back to the cardholder, unless it was captured or released before."""
    with office.book.changing() as book:
        hold = book.holds.get(reference)
        if hold is None or hold["state"] != "HELD":
            return
        hold["state"], hold["reason"] = "RELEASED", reason
    office.log.record("release", reason=reason, amount=hold["amount"], authorization_reference=reference)


def settle(office: Office, cdr: Object) -> None:
    """Captures what a CDR costs and, if the CPO invoices, has the advice sent in the background."""
    reference = cdr["authorization_reference"]
    if cdr.get("credit"):
        return _refund(office, cdr)
    with office.book.changing() as book:
        hold, earlier = book.holds[reference], book.captures.get(reference)
        if earlier and not earlier["refunded"]:
            text = f"{reference} was captured for CDR {earlier['cdr_id']} already"
            return office.complain("second-cdr", text, cdr=cdr["id"], authorization_reference=reference)
        taken = capture(drivers_price(cdr["total_cost"], hold), Decimal(hold["amount"]))
        status = _outcome(hold, taken)
        if status == "FAILED":
            taken = Capture(Decimal("0.00"), Decimal("0.00"), complete=False)
        hold["state"] = "CAPTURED" if taken.incl_vat else "RELEASED"
        book.captures[reference] = _record(cdr, taken, status)
        if cdr.get("invoice_reference_id"):
            advice = build_advice(hold, taken, status, cdr["currency"])
            withheld = hold.get("withhold_advice", False)
            book.advices[advice["id"]] = {"advice": advice, "delivered": False, "attempts": 0, "withheld": withheld}
    office.log.record("capture", amount=f"{taken.incl_vat}", outcome=status, authorization_reference=reference)
    deliver_pending(office)


def _outcome(hold: Object, taken: Capture) -> str:
    if hold["decline_capture"] or hold["state"] == "RELEASED":
        return "FAILED"
    return "SUCCESS" if taken.complete else "PARTIAL_SUCCESS"


def _record(cdr: Object, taken: Capture, status: str) -> Object:
    return {
        "amount": f"{taken.incl_vat}",
        "excl_vat": f"{taken.excl_vat}",
        "currency": cdr["currency"],
        "outcome": status,
        "cdr_id": cdr["id"],
        "at": now(),
        "refunded": False,
    }


def _refund(office: Office, cdr: Object) -> None:
    reference = cdr["authorization_reference"]
    with office.book.changing() as book:
        if taken := book.captures.get(reference):
            taken["refunded"] = True
            book.holds[reference]["state"] = "HELD"
    office.log.record("refund", cdr=cdr["id"], authorization_reference=reference)


def build_advice(hold: Object, taken: Capture, status: str, currency: str) -> Object:
    """The FinancialAdviceConfirmation of a capture (DirectPayment §5.2.2)."""
    advice: Object = {
        "id": str(uuid.uuid4()),
        "authorization_reference": hold["authorization_reference"],
        "total_costs": {"excl_vat": taken.excl_vat, "incl_vat": taken.incl_vat},
        "currency": currency,
        "eft_data": eft_lines(hold, taken.incl_vat),
        "capture_status_code": status,
        "capture_status_message": CAPTURED_MESSAGES[status],
        "last_updated": now(),
    }
    if status == "FAILED":
        del advice["eft_data"]
    return advice


def advice_by_hand(office: Office, body: Object) -> Object:
    """An advice for a known reference with any field replaced; raises KeyError on an unknown one."""
    hold = office.book.holds[body["authorization_reference"]]
    amount = (body.get("total_costs") or {}).get("incl_vat", hold["amount"])
    gross = cents(amount)
    status = body.get("capture_status_code", "SUCCESS")
    return build_advice(hold, Capture(gross, gross, complete=True), status, hold["currency"]) | body


def deliver_pending(office: Office) -> None:
    """Starts to deliver every advice the CPO has not answered yet, but none that is withheld: it must be asked for."""
    for identifier, entry in list(office.book.advices.items()):
        if not (entry["delivered"] or entry.get("withheld")) and identifier not in office.delivering:
            office.delivering.add(identifier)
            office.later("advice", partial(_deliver, office, identifier))


def _deliver(office: Office, identifier: str) -> None:
    delay = FIRST_RETRY
    while not office.closing.is_set() and not post_advice(office, office.book.advices[identifier]):
        office.closing.wait(delay)
        delay = min(delay * 2, LONGEST_RETRY)


def post_advice(office: Office, entry: Object) -> bool:
    """One attempt; True when the CPO answered 2xx, whatever it thinks of the advice."""
    advice = entry["advice"]
    endpoint = office.book.registration.endpoint("payments", "RECEIVER")
    outcome: Any
    try:
        reply = office.client.call("POST", f"{endpoint}/financial-advice-confirmations", "payments", advice)
        delivered, outcome = 200 <= reply.status < 300, reply.reason
        if delivered and not reply.ok:
            text = f"refused: {reply.reason}"
            office.complain("advice", text, authorization_reference=advice["authorization_reference"])
    except Unreachable as error:
        delivered, outcome = False, str(error)
    with office.book.changing():
        entry["attempts"] += 1
        entry["delivered"], entry["outcome"] = delivered, outcome
    office.log.record(
        "advice",
        "out",
        amount=f"{advice['total_costs'].get('incl_vat')}",
        status=advice["capture_status_code"],
        delivered=delivered,
        attempt=entry["attempts"],
        authorization_reference=advice["authorization_reference"],
    )
    return bool(delivered)
