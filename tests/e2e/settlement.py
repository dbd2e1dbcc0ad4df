"""What must be true of the money once a session is over, whatever went wrong on the way."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.e2e.admin_site import text_of
from tests.e2e.cast import PATIENCE, Cast

Json = dict[str, Any]


@dataclass(frozen=True)
class Settlement:
    """The one session, CDR, capture and invoice of a reference; `page` is what the driver reads."""

    session: Json
    cdr: Json
    amount: Decimal
    page: str


def settle_once(cast: Cast, reference: str, patience: float = PATIENCE) -> Settlement:
    """Waits for the invoice with its card data; then everything exists once and the amounts agree."""
    ptp = cast.ptp
    cast.wait(f"the capture of {reference}", lambda: reference in ptp.state["captures"], patience)
    cast.wait(f"the end of session {reference}", lambda: _is_completed(cast, reference), patience)
    advice = cast.wait(f"the advice of {reference}", lambda: _delivered_advice(cast, reference))
    page = cast.wait(f"card data on the invoice {reference}", lambda: _page_with(cast, reference, advice["eft_data"]))
    (session,), (cdr,) = ptp.known("sessions", reference), ptp.known("cdrs", reference)
    assert [one["id"] for one in ptp.pulled("sessions", reference)] == [session["id"]] == [cdr["session_id"]]
    assert [one["id"] for one in ptp.pulled("cdrs", reference)] == [cdr["id"]]
    assert len(ptp.events("cdr", authorization_reference=reference)) == 1
    assert len(ptp.events("capture", authorization_reference=reference)) == 1
    assert len(cast.admin.rows("payments/invoice", reference)) == 1
    amount = _one_amount(session, cdr, ptp.state["captures"][reference], page)
    assert ptp.complaints == []
    return Settlement(session, cdr, amount, page)


def _is_completed(cast: Cast, reference: str) -> bool:
    return [one["status"] for one in cast.ptp.known("sessions", reference)] == ["COMPLETED"]


def _delivered_advice(cast: Cast, reference: str) -> Json | None:
    for entry in cast.ptp.state["advices"].values():
        if entry["delivered"] and entry["advice"]["authorization_reference"] == reference:
            advice: Json = entry["advice"]
            return advice
    return None


def _page_with(cast: Cast, reference: str, lines: list[str]) -> str | None:
    page = text_of(cast.invoice_page(reference))
    return page if all(line in page for line in lines) else None


def _one_amount(session: Json, cdr: Json, capture: Json, page: str) -> Decimal:
    """Session, CDR, capture and invoice say the same, the invoice under the number that the CDR gives."""
    invoiced = re.search(r"Invoice (\S+) ([\d.]+) EUR", page)
    assert invoiced, page
    assert invoiced[1] == cdr["invoice_reference_id"]
    amounts = {
        "session": cents(session["total_cost"]["incl_vat"]),
        "CDR": cents(cdr["total_cost"]["incl_vat"]),
        "capture": Decimal(capture["amount"]),
        "invoice": Decimal(invoiced[2]),
    }
    assert len(set(amounts.values())) == 1, amounts
    assert amounts["capture"] > 0
    return amounts["capture"]


def cents(amount: Any) -> Decimal:
    return Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP)
