"""Statements 91 to 100: what is left of a session, and what it costs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.conformance.charger import until
from tests.conformance.client import Json
from tests.conformance.seed import ADDRESS, BLOCKED
from tests.conformance.stage import Peer, Run, Stage
from tests.e2e.admin_site import text_of

HALF_AN_HOUR = timedelta(minutes=30)
PARTS = ("fixed", "energy", "time", "parking", "reservation")
OF_SESSIONS_ONLY = {"CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"}
CREDIT = "from chargers.models import CDR; from chargers.services.cdrs import credit_cdr; "


def volume(cdr: Json, kind: str) -> Decimal:
    found = [one for period in cdr["charging_periods"] for one in period["dimensions"] if one["type"] == kind]
    return sum((Decimal(str(one["volume"])) for one in found), Decimal(0))


def amount(price: Any) -> Decimal:
    return Decimal(str(price["incl_vat"]))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_091_a_cdr_is_posted_once(stage: Stage, ptp: Peer) -> None:
    run, cdr = stage.charged()
    stage.charged()
    assert len(ptp.partner.calls("POST", "/2.2.1/cdrs", session_id=run.session["id"])) == 1
    assert not [call for call in ptp.partner.calls(path="/2.2.1/cdrs") if call.method != "POST"]
    assert ptp.client.get(f"cdrs/{cdr['id']}").data == cdr
    (row,) = stage.admin.rows("roaming/document", cdr["id"])
    kept = f"/2.2.1/cdrs/kept-{cdr['id']}"
    assert kept in text_of(stage.admin.page(f"roaming/document/{row}/change/"))


def test_092_a_credit_takes_a_cdr_back(stage: Stage, ptp: Peer) -> None:
    _, cdr = stage.charged()
    stage.staff(f"{CREDIT}credit_cdr(CDR.objects.get(uid='{cdr['id']}'), 'The meter was wrong.')")
    credit = ptp.partner.wait("POST", "/2.2.1/cdrs", credit=True, credit_reference_id=cdr["id"]).body
    assert credit["id"] != cdr["id"]
    assert len(credit["id"]) <= 39
    negated = {name: -value for name, value in cdr["total_cost"].items()}
    assert credit["total_cost"] == negated
    own = {"id", "credit", "credit_reference_id", "total_cost", "remark", "last_updated"}
    assert {key: value for key, value in credit.items() if key not in own} == {
        key: value for key, value in cdr.items() if key not in own
    }
    assert "credit" not in cdr


def test_093_the_location_is_that_of_the_start(stage: Stage, ptp: Peer) -> None:
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR)
    before = ptp.client.get("locations/MAIN").data["name"]
    stage.save("infrastructure/location", "MAIN", name="Area MAIN, renamed")
    until("the new name", lambda: ptp.client.get("locations/MAIN").data["name"] == "Area MAIN, renamed")
    assert stage.end(run, wh=5000, after=minutes(20))["cdr_location"]["name"] == before


def parked(stage: Stage, peer: Peer | None = None) -> tuple[Run, Json]:
    """30 minutes: 5 held back by us, 10 that the car asks for no power."""
    run = stage.begin(stage.evse(), ago=HALF_AN_HOUR, peer=peer)
    for minute, status in ((5, "SuspendedEVSE"), (10, "Charging"), (20, "SuspendedEV")):
        stage.charger.status(run.evse, status, run.began + minutes(minute))
    stage.charger.meter(run.evse, run.transaction, run.began + minutes(20), 8234)
    return run, stage.end(run, wh=8234, after=HALF_AN_HOUR, peer=peer)


def test_094_the_parts_are_the_whole(stage: Stage) -> None:
    _, cdr = parked(stage)
    parts = [amount(cdr[f"total_{part}_cost"]) for part in PARTS if f"total_{part}_cost" in cdr]
    assert len([part for part in parts if part]) == 3
    assert sum(parts) == amount(cdr["total_cost"])


def test_095_parking_is_when_the_car_asks_for_no_power(stage: Stage) -> None:
    _, cdr = parked(stage)
    assert Decimal(str(cdr["total_parking_time"])) == volume(cdr, "PARKING_TIME")
    assert abs(volume(cdr, "PARKING_TIME") - Decimal(10) / 60) < Decimal("0.001")
    assert abs(volume(cdr, "TIME") - Decimal(20) / 60) < Decimal("0.001")
    assert abs(Decimal(str(cdr["total_time"])) - Decimal("0.5")) < Decimal("0.001")
    assert Decimal(str(cdr["total_time"])) == volume(cdr, "TIME") + volume(cdr, "PARKING_TIME")


def test_096_volumes_are_as_measured(stage: Stage, emsp: Peer) -> None:
    _, cdr = parked(stage, emsp)
    kinds = {one["type"] for period in cdr["charging_periods"] for one in period["dimensions"]}
    assert kinds == {"ENERGY", "TIME", "PARKING_TIME"}
    assert not kinds & OF_SESSIONS_ONLY
    assert volume(cdr, "ENERGY") == Decimal(str(cdr["total_energy"])) == Decimal("7.234")
    assert cdr["tariffs"][0]["id"] == "PLAIN"
    # Billed in steps of 500 Wh: 7.5 kWh at 0.45 net.
    assert cdr["total_energy_cost"]["excl_vat"] == 3.375


def test_097_a_long_address_is_cut(stage: Stage, ptp: Peer) -> None:
    _, cdr = stage.charged()
    assert ptp.client.get("locations/MAIN").data["address"] == ADDRESS
    assert cdr["cdr_location"]["address"] == ADDRESS[:45]


def test_098_the_invoice_number_is_there_if_it_is_ours(stage: Stage, ptp: Peer) -> None:
    _, cdr = stage.charged()
    assert 0 < len(cdr["invoice_reference_id"]) <= 39
    ptp.client.post("payments/terminals", {"terminal_id": "OWN-INVOICE", "invoice_creator": "PTP"})
    evse = stage.evse()
    served = stage.admin.rows("infrastructure/evse", f"AT*VLT*ECP1*{evse}")[:1]
    stage.save("payments/terminal", "OWN-INVOICE", evses=served)
    run = stage.begin(evse, ago=HALF_AN_HOUR)
    assert "invoice_reference_id" not in stage.end(run, wh=5000, after=minutes(20))


def test_099_a_terminal_never_captures_more_than_it_blocked(stage: Stage) -> None:
    _, cdr = stage.charged(wh=200_000)
    assert cdr["tariffs"][0]["max_price"]["incl_vat"] == BLOCKED
    assert amount(cdr["total_cost"]) == BLOCKED
    _, cdr = stage.charged()
    assert 0 < amount(cdr["total_cost"]) < BLOCKED


def test_100_a_peer_lists_its_own(stage: Stage, ptp: Peer) -> None:
    run, mine = stage.charged()
    _, theirs = stage.charged(peer=stage.other)
    own = [one["id"] for page in ptp.client.pages("cdrs") for one in page.data]
    others = [one["id"] for page in stage.other.client.pages("cdrs") for one in page.data]
    assert (mine["id"] in own, theirs["id"] in own) == (True, False)
    assert (mine["id"] in others, theirs["id"] in others) == (False, True)
    assert stage.other.client.get(f"cdrs/{mine['id']}").http == 404
    assert stage.other.client.get(f"sessions/{run.session['id']}").http == 404
