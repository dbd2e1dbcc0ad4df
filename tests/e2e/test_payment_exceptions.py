"""Each way in which a payment goes wrong ends in the work list, in words, and what a person does there clears it.

Real HTTP and a real charger socket. Time is compressed by settings, by rows that are made older, and by sweeps that
run every two seconds. At this charger drivers plug in when the test says so.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.admin_site import text_of
from tests.e2e.cast import GARAGE_1, GARAGE_2, Cast, Place
from tests.e2e.settlement import settle_once

SWEEPS = (
    *("payments.tasks.sweep_payment_issues", "chargers.tasks.end_lost_sessions"),
    *("chargers.tasks.expire_pending_sessions", "chargers.tasks.settle_held_events"),
)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with Cast(
        tmp_path_factory.mktemp("exceptions"),
        chargers=("DEMO-AC-1",),
        options=("--auto-plug", "never"),
    ) as cast:
        hurry(cast)
        yield cast
        cast.check()


def hurry(cast: Cast) -> None:
    """Lets the sweeps run as often as the outbox is drained. The scheduler sees that something changed by a time."""
    often = "SELECT interval_id FROM django_celery_beat_periodictask WHERE task = 'infrastructure.tasks.drain_outbox'"
    for task in SWEEPS:
        changed = f"UPDATE django_celery_beat_periodictask SET interval_id = ({often}) WHERE task = %s"
        assert cast.plugtill.execute(changed, task) == 1
    assert cast.plugtill.execute("UPDATE django_celery_beat_periodictasks SET last_update = %s", past(-1)) == 1


def past(hours: int) -> str:
    return f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%d %H:%M:%S.%f}"


# -- what a person sees and does


def find(cast: Cast, reference: str, words: str) -> str | None:
    """The open row of the work list that says this."""
    rows = [f"payments/paymentissue/{pk}/" for pk in cast.admin.rows("payments/paymentissue", reference)]
    return next((row for row in rows if words in text_of(cast.admin.page(f"{row}change/"))), None)


def listed(cast: Cast, reference: str, words: str, *actions: str) -> str:
    """Waits for the exception; it offers these actions and, as each does, to accept it with a note."""
    row: str = cast.wait(f"“{words}” of {reference}", lambda: find(cast, reference, words))
    page = text_of(cast.admin.page(f"{row}change/"))
    for action in (*actions, "Accept with a note"):
        assert action in page
    return row


def do(cast: Cast, row: str, action: str, **inputs: str) -> None:
    cast.admin.save(f"{row}do/{action}/", **inputs)


def cleared(cast: Cast, reference: str) -> None:
    cast.wait(f"nothing open of {reference}", lambda: cast.admin.rows("payments/paymentissue", reference) == [])


# -- what happens at the charger and at the provider


def begin(cast: Cast, place: Place = GARAGE_1, **options: Any) -> str:
    """The driver plugs in first and pays then; energy flows."""
    cast.wait("a free outlet", lambda: cast.is_ready(place))
    cast.charger(place).post("/plug", connector=place.outlet)
    reference: str = cast.tap(place, **options)["authorization_reference"]
    cast.wait(f"energy in {reference}", lambda: cast.progress(reference) > 0)
    return reference


def end(cast: Cast, reference: str, place: Place = GARAGE_1) -> dict[str, Any]:
    """The driver stops; the provider's capture."""
    cast.stop_at_charger(place)
    capture: dict[str, Any] = cast.wait("the capture", lambda: cast.ptp.state["captures"].get(reference))
    return capture


def tap_and_walk_away(cast: Cast, place: Place = GARAGE_2) -> str:
    """A start that is accepted, and a provider that will refuse to hear what becomes of it: as PATCH, then as PUT."""
    reference: str = cast.tap(place)["authorization_reference"]
    cast.wait("the PENDING session", lambda: status_of(cast, reference) == ["PENDING"])
    cast.ptp.fail("sessions", "refuse", times=2)
    return reference


def come_too_late(cast: Cast, place: Place = GARAGE_2) -> None:
    """The charger still waits for the car. It is refused, and the outlet is free for the next."""
    charger = cast.charger(place)
    ended = len(charger.events("stop_transaction_answered"))
    charger.post("/plug", connector=place.outlet)
    cast.wait("the end", lambda: len(charger.events("stop_transaction_answered")) > ended)


def status_of(cast: Cast, reference: str) -> list[str]:
    return [one["status"] for one in cast.ptp.known("sessions", reference)]


def is_held(cast: Cast, reference: str) -> bool:
    return bool(cast.ptp.state["holds"][reference]["state"] == "HELD")


def advise(cast: Cast, reference: str, **fields: Any) -> None:
    cast.ptp.post("/control/advice", authorization_reference=reference, **fields)


def costs(gross: str) -> dict[str, float]:
    return {"excl_vat": float(gross), "incl_vat": float(gross)}


# -- the exceptions


def test_never_plugged_in_holds_money_until_it_is_told_again(cast: Cast) -> None:
    reference = tap_and_walk_away(cast)
    aged = "UPDATE chargers_chargingsession SET accepted_at = %s WHERE authorization_reference = %s"
    assert cast.plugtill.execute(aged, past(1), reference) == 1
    row = listed(cast, reference, "no car was plugged in in time", "Send again")
    assert is_held(cast, reference)
    do(cast, row, "retry")
    cleared(cast, reference)
    assert (status_of(cast, reference), is_held(cast, reference)) == (["INVALID"], False)
    come_too_late(cast)


def test_a_start_that_was_aborted_likewise(cast: Cast) -> None:
    reference = tap_and_walk_away(cast)
    cast.ptp.post("/control/stop", authorization_reference=reference)
    row = listed(cast, reference, "Given up by the partner", "Send again")
    assert is_held(cast, reference)
    do(cast, row, "retry")
    cleared(cast, reference)
    assert (status_of(cast, reference), is_held(cast, reference)) == (["INVALID"], False)
    come_too_late(cast)


def test_a_failed_capture_is_credited(cast: Cast) -> None:
    reference = begin(cast, decline_capture=True)
    end(cast, reference)
    row = listed(cast, reference, "The card could not be charged", "Ask the partner", "Credit")
    do(cast, row, "credit", text="The driver paid in cash.")
    cleared(cast, reference)
    cast.wait("the credit CDR", lambda: [one for one in cast.ptp.known("cdrs", reference) if one.get("credit")])


def test_a_part_that_was_captured_later_is_accepted(cast: Cast) -> None:
    reference = begin(cast, decline_capture=True)
    end(cast, reference)
    failed = listed(cast, reference, "The card could not be charged")
    message = "The card had no more."
    advise(
        cast,
        reference,
        capture_status_code="PARTIAL_SUCCESS",
        capture_status_message=message,
        total_costs=costs("0.01"),
    )
    row = listed(cast, reference, "Only 0.01 EUR of", "Credit")
    assert message in text_of(cast.admin.page(f"{row}change/"))
    # The failure is over by itself.
    assert "the cause is gone" in text_of(cast.admin.page(f"{failed}change/"))
    do(cast, row, "accept", text="Too little to ask for.")
    cleared(cast, reference)


def test_an_advice_that_does_not_come_is_asked_for(cast: Cast) -> None:
    reference = begin(cast, withhold_advice=True)
    end(cast, reference)
    cast.wait("the invoice", lambda: cast.admin.rows("payments/invoice", reference))
    aged = "UPDATE payments_invoice SET issued_at = %s WHERE authorization_reference = %s"
    assert cast.plugtill.execute(aged, past(25), reference) == 1
    row = listed(cast, reference, "has sent no financial advice", "Ask the partner", "Credit")
    do(cast, row, "ask")
    cleared(cast, reference)
    settled = [row for row in cast.ptp.state["advices"].values() if row.get("withheld")]
    assert settled and not any(one["delivered"] for one in settled)  # it was pulled


def test_another_amount_than_the_cdr_is_accepted_with_a_note(cast: Cast) -> None:
    reference = begin(cast, withhold_advice=True)
    capture = end(cast, reference)
    advise(cast, reference, total_costs=costs("0.02"))
    row = listed(cast, reference, "0.02 EUR", "Ask the partner", "Credit")
    assert capture["amount"] in text_of(cast.admin.page(f"{row}change/"))
    do(cast, row, "accept", text="The provider keeps the rest as its fee.")
    cleared(cast, reference)


def test_an_advice_for_an_unknown_reference_is_assigned(cast: Cast) -> None:
    reference = begin(cast, withhold_advice=True)
    capture = end(cast, reference)
    cast.wait("the invoice", lambda: cast.admin.rows("payments/invoice", reference))
    nowhere = cast.tap(GARAGE_1, force=True, location_id="NOWHERE")
    assert nowhere["response"] == "REJECTED"
    unknown = nowhere["authorization_reference"]
    advise(cast, unknown, total_costs=costs(capture["amount"]))
    row = listed(cast, unknown, "no session", "Assign to a session")
    assert capture["amount"] in text_of(cast.admin.page(f"{row}do/assign/"))
    do(cast, row, "assign", text=reference)
    cleared(cast, unknown)
    session = cast.admin.row("chargers/chargingsession", reference)
    assert "Captured" in text_of(cast.admin.page(f"{session}change/"))


def test_a_charger_lost_in_mid_session_is_settled_and_its_late_end_is_offered(cast: Cast) -> None:
    reference = begin(cast)
    cast.charger(GARAGE_1).post("/offline", seconds=3600)
    lose(cast, hours=1)
    listed(cast, reference, "went offline", "Stop charging")
    lose(cast, hours=13)
    listed(cast, reference, "It was settled with its last reading", "Credit")
    cast.stop_at_charger(GARAGE_1)  # into the charger's queue
    cast.charger(GARAGE_1).post("/offline", seconds=0)
    capture = cast.wait("the capture", lambda: cast.ptp.state["captures"].get(reference))
    row = listed(cast, reference, "Later the charger told another end", "Credit and correct")
    assert capture["amount"] in text_of(cast.admin.page(f"{row}change/"))
    assert len(cast.ptp.known("cdrs", reference)) == 1  # nothing is billed by itself
    correct(cast, reference, row)
    cleared(cast, reference)
    first, credit, corrected = cast.wait(
        "three CDRs", lambda: len(found := cast.ptp.known("cdrs", reference)) == 3 and found
    )
    assert credit["credit_reference_id"] == first["id"]
    assert corrected["total_energy"] > first["total_energy"]


def lose(cast: Cast, hours: int) -> None:
    """The charger has been away for so long."""
    aged = "UPDATE chargers_chargerconnection SET disconnected_at = %s WHERE channel_name = '' AND connected_at > %s"
    cast.wait("a charger that is away", lambda: cast.plugtill.execute(aged, past(hours), past(1)) == 1)


def correct(cast: Cast, reference: str, issue: str) -> None:
    """Follows the button, which fills in what the charger told, looks at the price and confirms."""
    page = cast.admin.page(f"{issue}change/")
    address = page.partition("/correct/?")[2].partition('"')[0].replace("&amp;", "&")
    session = cast.admin.row("chargers/chargingsession", reference)
    path = f"{session}correct/?{address}"
    calculated = cast.admin.submit(path, reason="The charger told the end later.")
    assert "Corrected total" in text_of(calculated.text)
    cast.admin.save(path, reason="The charger told the end later.", button="confirm")


def test_a_session_that_does_not_end_is_stopped(cast: Cast) -> None:
    charger = cast.charger(GARAGE_2)
    charger.post("/behave", reject_remote_stop=True)
    reference = begin(cast, GARAGE_2)
    aged = "UPDATE chargers_chargingsession SET started_at = %s, accepted_at = %s WHERE authorization_reference = %s"
    assert cast.plugtill.execute(aged, past(49), past(49), reference) == 1
    row = listed(cast, reference, "longer than sessions may be", "Stop charging")
    charger.post("/behave", reject_remote_stop=False)
    do(cast, row, "stop")
    cleared(cast, reference)
    cast.wait("the end", lambda: status_of(cast, reference) == ["COMPLETED"])


def test_a_cdr_that_is_refused_is_sent_again(cast: Cast) -> None:
    reference = begin(cast)
    cast.ptp.fail("cdrs", "refuse")
    cast.stop_at_charger(GARAGE_1)
    row = listed(cast, reference, "has not confirmed CDR", "Send again")
    do(cast, row, "retry")
    settle_once(cast, reference)
    cleared(cast, reference)


def test_a_session_below_the_minimum_costs_the_minimum(cast: Cast) -> None:
    """No exception: one bill of the minimum, which says so, and nothing in the work list."""
    tariff = cast.admin.row("tariffs/roamingtariff", "ADHOC-AC")
    cast.admin.save(f"{tariff}change/", min_price="20")
    reference = begin(cast)
    cast.stop_at_charger(GARAGE_1)
    settled = settle_once(cast, reference)
    assert f"{settled.amount}" == "20.00"
    assert "Minimum price" in settled.page
    assert cast.admin.rows("payments/paymentissue", reference) == []
