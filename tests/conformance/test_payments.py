"""Statements 120 to 134: terminals, card captures and invoices (DirectPayment v1.9)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conformance.charger import until
from tests.conformance.client import Client, Json
from tests.conformance.marks import statement
from tests.conformance.partner import Received, envelope
from tests.conformance.seed import BLOCKED
from tests.conformance.stage import Peer, Stage
from tests.e2e.admin_site import text_of

TERMINALS = "payments/terminals"
ADVICES = "payments/financial-advice-confirmations"
HALF_AN_HOUR = timedelta(minutes=30)
# DirectPayment 5.2.1.3 as it is printed: a quotation mark ends too early.
PRINTED = b'{"id": "1", "eft_data": ["Payment", "Amount": EUR 4.40"], "currency": "EUR"}'


def assign(stage: Stage, terminal_id: str, areas: list[str], evses: list[str]) -> None:
    """As staff does it; EVSEs by their id."""
    locations = [stage.admin.rows("infrastructure/location", name)[0] for name in areas]
    outlets = [stage.admin.rows("infrastructure/evse", name)[0] for name in evses]
    stage.save("payments/terminal", terminal_id, locations=locations, evses=outlets)


def assigned(peer: Peer, terminal_id: str, since: int = 0) -> Received:
    return peer.partner.wait("PATCH", f"/2.2.1/{TERMINALS}/{terminal_id}", since)


def advice(reference: str, **changes: Any) -> Json:
    return {
        "id": f"advice-{reference}",
        "authorization_reference": reference,
        "total_costs": {"excl_vat": 5.0, "incl_vat": 6.0},
        "currency": "EUR",
        "eft_data": [f"Slip of {reference}", "VISA **** 1234"],
        "capture_status_code": "SUCCESS",
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes


def page(stage: Stage, reference: str) -> str:
    """What the driver reads."""
    return text_of(stage.browse(f"/invoices/ptp/{reference}"))


def test_120_a_terminal_may_have_nothing_but_its_id(ptp: Peer) -> None:
    answer = ptp.client.post(TERMINALS, {"terminal_id": "BARE"})
    assert answer.both == (201, 1000)
    stored = ptp.client.get(f"{TERMINALS}/BARE").data
    assert stored["terminal_id"] == "BARE"
    assert stored["last_updated"]
    assert stored["location_ids"] == stored["evse_uids"] == []
    assert ptp.client.get(answer.headers["location"]).data == stored


@pytest.mark.parametrize("again", [{}, {"location_ids": [], "evse_uids": []}])
def test_121_the_same_terminal_keeps_our_assignment(stage: Stage, ptp: Peer, again: Json) -> None:
    name = f"KEPT-{len(again)}"
    ptp.client.post(TERMINALS, {"terminal_id": name})
    assign(stage, name, ["EDIT"], ["AT*VLT*ECP1*1"])
    until("our lists", lambda: ptp.client.get(f"{TERMINALS}/{name}").data["location_ids"] == ["EDIT"])
    answer = ptp.client.post(TERMINALS, {"terminal_id": name, "city": "Graz"} | again)
    assert answer.both == (200, 1000)
    stored = ptp.client.get(f"{TERMINALS}/{name}").data
    assert (stored["location_ids"], stored["evse_uids"], stored["city"]) == (["EDIT"], ["CP-1-1"], "Graz")
    listed = [one["terminal_id"] for one in ptp.client.get(TERMINALS).data]
    assert listed.count(name) == 1


def test_122_an_assignment_is_patched_with_full_lists(stage: Stage, ptp: Peer) -> None:
    ptp.client.post(TERMINALS, {"terminal_id": "MOVED"})
    assign(stage, "MOVED", ["EDIT", "NIGHT"], [])
    told = assigned(ptp, "MOVED")
    assert (told.body["location_ids"], told.body["evse_uids"]) == (["EDIT", "NIGHT"], [])
    assert told.body["last_updated"]
    since = ptp.partner.now
    assign(stage, "MOVED", ["EDIT"], ["AT*VLT*ECP1*1"])
    told = assigned(ptp, "MOVED", since)
    assert (told.body["location_ids"], told.body["evse_uids"]) == (["EDIT"], ["CP-1-1"])
    since = ptp.partner.now
    assign(stage, "MOVED", [], [])
    told = assigned(ptp, "MOVED", since)
    assert (told.body["location_ids"], told.body["evse_uids"]) == ([], [])


def test_123_areas_and_evses_add_up(stage: Stage, ptp: Peer) -> None:
    ptp.client.post(TERMINALS, {"terminal_id": "BOTH"})
    evse = stage.evse()
    assign(stage, "BOTH", ["NIGHT"], [f"AT*VLT*ECP1*{evse}"])
    told = assigned(ptp, "BOTH")
    assert (told.body["location_ids"], told.body["evse_uids"]) == (["NIGHT"], [f"CP-1-{evse}"])
    for place in ({"location_id": "NIGHT", "evse_uid": "CP-OFF-2"}, {}):
        assert stage.command(evse, stage.reference(), **place).data["result"] == "ACCEPTED"


def test_124_a_terminal_that_we_put_is_complete(stage: Stage, ptp: Peer) -> None:
    held = {
        "terminal_id": "WHOLE",
        "customer_reference": "theirs",
        "address": "Ring 1",
        "serial_number": "of no interest to OCPI",
        "location_ids": [],
        "evse_uids": [],
        "last_updated": "2025-01-01T00:00:00Z",
    }
    ptp.partner.plan[f"GET /2.2.1/{TERMINALS}/WHOLE"] = 200, envelope(held)
    ptp.client.post(TERMINALS, held)
    terminal = stage.row("payments/terminal", "WHOLE")
    stage.admin.save(f"{terminal}change/", our_reference="C-1042")
    told = ptp.partner.wait("PUT", f"/2.2.1/{TERMINALS}/WHOLE")
    base_url, last_updated = told.body.pop("invoice_base_url"), told.body.pop("last_updated")
    assert told.body == {name: value for name, value in held.items() if name != "last_updated"} | {
        "customer_reference": "C-1042"
    }
    assert base_url.endswith("/invoices/ptp/")
    assert last_updated > held["last_updated"]
    read = ptp.partner.calls("GET", f"/2.2.1/{TERMINALS}/WHOLE")[-1]
    assert read.headers["x-correlation-id"] == told.headers["x-correlation-id"]


@pytest.mark.parametrize("path", [TERMINALS, ADVICES, ADVICES.replace("-", "_")])
def test_125_lists_of_what_the_peer_sent(stage: Stage, ptp: Peer, path: str) -> None:
    peer = stage.other
    ptp.client.post(TERMINALS, {"terminal_id": "LIST-3"})
    ptp.client.post(ADVICES, advice("LIST-3"))
    for name in ("LIST-1", "LIST-2"):
        peer.client.post(TERMINALS, {"terminal_id": name})
        peer.client.post(ADVICES, advice(name))
    key = "terminal_id" if path == TERMINALS else "authorization_reference"
    pages = peer.client.pages(f"{path}?limit=1")
    assert [one[key] for answer in pages for one in answer.data] == ["LIST-1", "LIST-2"]
    assert pages[0].headers["x-total-count"] == "2"


def test_126_card_data_reach_the_invoice(stage: Stage, ptp: Peer) -> None:
    run, _ = stage.charged()
    told = advice(run.reference)
    assert ptp.client.post(ADVICES, told).both == (201, 1000)
    text = until("card data", lambda: with_lines(page(stage, run.reference), *told["eft_data"]))
    assert "Not paid" not in text
    assert ptp.client.get(f"{ADVICES}/{told['id']}").data == told


def with_lines(text: str, *lines: str) -> str:
    return text if all(line in text for line in lines) else ""


def test_127_an_early_advice_waits_for_its_session(stage: Stage, ptp: Peer) -> None:
    evse, reference = stage.evse(), stage.reference()
    assert ptp.client.post(ADVICES, advice(reference)).both == (201, 1000)
    assert stage.command(evse, reference).data["result"] == "ACCEPTED"
    stage.result(reference)
    tag = stage.charger.wait("RemoteStartTransaction", connectorId=evse)["idTag"]
    began = stage.now() - HALF_AN_HOUR
    stage.charger.stop(stage.charger.start(evse, tag, began), began + HALF_AN_HOUR, 10_000)
    until("card data", lambda: with_lines(page(stage, reference), f"Slip of {reference}"))


def test_128_a_failed_capture_is_an_unpaid_invoice(stage: Stage, ptp: Peer) -> None:
    run, _ = stage.charged()
    told = advice(run.reference, capture_status_code="FAILED", capture_status_message="Card was declined")
    del told["eft_data"]
    assert ptp.client.post(ADVICES, told).both == (201, 1000)
    until("the failure", lambda: with_lines(page(stage, run.reference), "Not paid"))


def test_129_both_shapes_of_amounts(ptp: Peer) -> None:
    taxes = [{"name": "VAT", "amount": 1.0, "percentage": 20}]
    later = advice("SHAPE", total_costs={"before_taxes": 5.0, "taxes": taxes})
    assert ptp.client.post(ADVICES, later).both == (201, 1000)
    stored = ptp.client.get(f"{ADVICES}/advice-SHAPE").data
    assert stored["total_costs"] == {"excl_vat": 5, "incl_vat": 6}
    net_only = advice("SHAPE-2", total_costs={"excl_vat": 5.0})
    assert ptp.client.post(ADVICES, net_only).both == (201, 1000)


def test_130_the_printed_example_is_no_json(ptp: Peer) -> None:
    assert ptp.client.call("POST", ADVICES, PRINTED).both == (400, 2001)
    assert ptp.client.get(f"{ADVICES}/1").http == 404


def test_131_another_ptps_objects_are_unknown(stage: Stage, ptp: Peer) -> None:
    ptp.client.post(TERMINALS, {"terminal_id": "MINE-ALONE"})
    ptp.client.post(ADVICES, advice("MINE-ALONE"))
    for path in (f"{TERMINALS}/MINE-ALONE", f"{ADVICES}/advice-MINE-ALONE"):
        assert stage.other.client.get(path).http == 404
        assert ptp.client.get(path).http == 200
    # The same id is another terminal there.
    assert stage.other.client.post(TERMINALS, {"terminal_id": "MINE-ALONE"}).http == 201


def test_132_we_stop_before_the_blocked_amount(stage: Stage) -> None:
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR)
    for minute, wh in ((28, 71_000), (29, 73_000)):
        stage.charger.meter(run.evse, run.transaction, run.began + timedelta(minutes=minute), wh)
    stage.charger.wait("RemoteStopTransaction", transactionId=run.transaction)
    cdr = stage.end(run, wh=73_500, after=HALF_AN_HOUR)
    assert 39 < cdr["total_cost"]["incl_vat"] <= BLOCKED
    assert cdr["remark"] == "Stopped by us at the pre-authorised amount."


def test_133_the_invoice_is_there_from_the_start(stage: Stage, ptp: Peer) -> None:
    ptp.client.post(TERMINALS, {"terminal_id": "PRINTS"})
    assign(stage, "PRINTS", ["EDIT"], [])
    base = assigned(ptp, "PRINTS").body["invoice_base_url"]
    assert base.endswith("/")
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR)
    path = base.removeprefix(stage.base) + run.reference
    assert "Charging in progress" in stage.browse(path)
    cdr = stage.end(run, wh=11_000, after=HALF_AN_HOUR)
    for address in (path, path.replace(run.reference, f"/{run.reference.upper()}")):
        assert cdr["invoice_reference_id"] in stage.browse(address)
    ptp.client.post(ADVICES, advice(run.reference))
    until("card data", lambda: with_lines(text_of(stage.browse(path)), "VISA **** 1234"))


@pytest.mark.parametrize(("code", "listed"), [("new-10", "payments"), ("new-11", "payments/"), ("new-12", TERMINALS)])
def test_134_the_address_of_terminals_however_it_is_listed(stage: Stage, code: str, listed: str) -> None:
    peer = stage.register(code, stage.new_partner("ADR", payments_path=listed))
    # Both lists are fetched after the registration.
    for path in (TERMINALS, ADVICES):
        assert peer.partner.wait("GET", f"/2.2.1/{path}").path == f"/2.2.1/{path}"
    peer.client.post(TERMINALS, {"terminal_id": f"AT-{code}"})
    assign(stage, f"AT-{code}", ["EDIT"], [])
    assert assigned(peer, f"AT-{code}").path == f"/2.2.1/{TERMINALS}/AT-{code}"


@statement(120)
def test_120_what_a_terminal_says_is_repeated(ptp: Peer) -> None:
    full = {
        "terminal_id": "FULL",
        "customer_reference": "Kunde 7",
        "country_code": "AT",
        "party_id": "VLT",
        "address": "Ring 1",
        "city": "Wien",
        "postal_code": "1010",
        "country": "AUT",
        "coordinates": {"latitude": "48.208490", "longitude": "16.372080"},
        "invoice_creator": "CPO",
        "last_updated": "2026-01-01T00:00:00Z",
    }
    client: Client = ptp.client
    assert client.post(TERMINALS, full).both == (201, 1000)
    stored = client.get(f"{TERMINALS}/FULL").data
    assert {name: stored[name] for name in full} == full
