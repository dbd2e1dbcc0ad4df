"""From the tap to the financial advice."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from payments.simulator.money import capture
from payments.simulator.run import Provider
from tests.simulators.conftest import control, state
from tests.simulators.fake_cpo import CONNECTOR, COORDINATES, LOCATION, NOW, OWNER, TARIFF, TOKEN_A, FakeCPO
from tests.simulators.test_ptp_strictness import rules, url

PLACE = {"location_id": "L1", "evse_uid": "E1", "connector_id": "1"}
ADVICES = "payments/financial-advice-confirmations"


def start(cpo: FakeCPO, ptp: Provider, **options: Any) -> dict[str, Any]:
    """A tap; the body of the START_SESSION it caused."""
    control(ptp, "tap", **PLACE, **options)
    body: dict[str, Any] = cpo.until("POST", "commands/START_SESSION")
    return body


def session(command: dict[str, Any], **changes: Any) -> dict[str, Any]:
    token = {name: command["token"][name] for name in ("country_code", "party_id", "uid", "type", "contract_id")}
    whole = (
        OWNER
        | PLACE
        | {
            "id": "S1",
            "start_date_time": NOW,
            "kwh": 1.5,
            "cdr_token": token,
            "auth_method": "COMMAND",
            "authorization_reference": command["authorization_reference"],
            "currency": "EUR",
            "status": "ACTIVE",
            "last_updated": NOW,
        }
    )
    return whole | changes


def cdr(command: dict[str, Any], gross: float = 12.345, **changes: Any) -> dict[str, Any]:
    place = {name: LOCATION[name] for name in ("id", "address", "city", "country")}
    connector = {"evse_uid": "E1", "evse_id": "NL*PLU*E1", "connector_id": "1"}
    for name in ("standard", "format", "power_type"):
        connector[f"connector_{name}"] = CONNECTOR[name]
    period = {"start_date_time": NOW, "dimensions": [{"type": "ENERGY", "volume": 25.2}], "tariff_id": "T1"}
    shared = session(command)
    whole = {name: shared[name] for name in ("cdr_token", "auth_method", "authorization_reference", "currency")}
    return (
        OWNER
        | whole
        | {
            "id": "C1",
            "start_date_time": NOW,
            "end_date_time": NOW,
            "session_id": "S1",
            "cdr_location": place | connector | {"coordinates": COORDINATES},
            "tariffs": [TARIFF],
            "charging_periods": [period],
            "total_cost": {"excl_vat": round(gross / 1.21, 4), "incl_vat": gross},
            "total_energy": 25.2,
            "total_time": 1,
            "invoice_reference_id": "INV-1",
            "last_updated": NOW,
        }
        | changes
    )


def test_the_whole_way(cpo: FakeCPO, ptp: Provider) -> None:
    tapped = control(ptp, "tap", **PLACE)
    assert (tapped["response"], tapped["amount"], tapped["currency"]) == ("ACCEPTED", "50.00", "EUR")
    assert tapped["alt_text"][0]["text"] == "0.49 per kWh"
    command = cpo.until("POST", "commands/START_SESSION")
    assert {name: command[name] for name in PLACE} == PLACE
    assert command["authorization_reference"] == tapped["authorization_reference"]
    assert command["token"]["type"] == "AD_HOC_USER"
    assert cpo.send("POST", command["response_url"], {"result": "ACCEPTED"}).ok
    assert cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command)).status_code == 201
    patch = {"kwh": 25.2, "status": "COMPLETED", "end_date_time": NOW, "last_updated": NOW}
    assert cpo.send("PATCH", url(ptp, "sessions/NL/PLU/S1"), patch).ok
    answer = cpo.send("POST", url(ptp, "cdrs"), cdr(command))
    assert answer.status_code == 201
    assert cpo.send("GET", answer.headers["Location"]).json()["data"]["id"] == "C1"
    advice = cpo.until("POST", ADVICES)
    assert advice["total_costs"] == {"excl_vat": 10.2, "incl_vat": 12.35}
    assert advice["capture_status_code"] == "SUCCESS"
    assert "Amount: EUR 12.35" in advice["eft_data"]
    known = state(ptp)
    reference = tapped["authorization_reference"]
    assert known["captures"][reference]["amount"] == "12.35"
    assert known["holds"][reference]["state"] == "CAPTURED"
    assert known["complaints"] == []
    listed = cpo.send("GET", url(ptp, ADVICES)).json()["data"]
    assert [one["id"] for one in listed] == [advice["id"]]
    happened = [event["what"] for event in ptp.office.log.events()]
    order = ["hold", "start_session", "command_result", "session", "cdr", "capture"]
    assert [what for what in happened if what in order and what != "session"] == [
        what for what in order if what != "session"
    ]


@pytest.mark.parametrize(
    ("gross", "taken"),
    [("1.005", "1.01"), ("1.0049", "1.00"), ("0", "0.00"), ("50.004", "50.00"), ("50.005", "50.00")],
)
def test_captures_round_half_up_and_end_at_the_hold(gross: str, taken: str) -> None:
    outcome = capture({"excl_vat": Decimal(gross), "incl_vat": Decimal(gross)}, Decimal("50.00"))
    assert outcome.incl_vat == Decimal(taken)
    assert outcome.complete is (gross != "50.005")


def test_a_cdr_above_the_hold_is_captured_in_part(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command))
    assert cpo.send("POST", url(ptp, "cdrs"), cdr(command, gross=60.5)).status_code == 201
    advice = cpo.until("POST", ADVICES)
    assert advice["total_costs"] == {"excl_vat": 41.32, "incl_vat": 50.0}
    assert advice["capture_status_code"] == "PARTIAL_SUCCESS"
    assert rules(ptp) == ["above-hold"]


def test_a_repeated_cdr_must_be_the_same_and_is_captured_once(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command))
    body = cdr(command)
    for expected in (201, 200):
        assert cpo.send("POST", url(ptp, "cdrs"), body).status_code == expected
    spaced = json.dumps(body, indent=1).encode()
    assert cpo.send("POST", url(ptp, "cdrs"), spaced).json()["status_code"] == 2001
    assert cpo.send("POST", url(ptp, "cdrs"), body | {"id": "C2"}).status_code == 201
    assert rules(ptp) == ["cdr-changed", "second-cdr"]
    captured = [event for event in ptp.office.log.events() if event["what"] == "capture"]
    assert len(captured) == 1


def test_an_advice_is_sent_until_it_is_taken(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command))
    cpo.failures[ADVICES] = 1
    cpo.send("POST", url(ptp, "cdrs"), cdr(command))
    first, second = cpo.until("POST", ADVICES), cpo.until("POST", ADVICES, 2)
    assert first == second


def test_an_advice_not_delivered_yet_is_sent_after_a_restart(
    cpo: FakeCPO, provide: Callable[..., Provider], tmp_path: Path
) -> None:
    options = {"state": tmp_path / "ptp.json"}
    first = provide(**options)
    control(first, "register", versions_url=f"{cpo.url}/versions", token=TOKEN_A)
    control(first, "tap", **PLACE, force=True)
    command = cpo.until("POST", "commands/START_SESSION")
    cpo.failures[ADVICES] = 1
    cpo.send("POST", url(first, "cdrs"), cdr(command))
    sent = cpo.until("POST", ADVICES)
    first.stop()
    provide(**options)
    assert cpo.until("POST", ADVICES, 2) == sent


def test_a_declined_card_blocks_nothing_and_starts_nothing(cpo: FakeCPO, ptp: Provider) -> None:
    assert control(ptp, "tap", **PLACE, decline=True)["response"] == "DECLINED"
    assert state(ptp)["holds"] == {}
    assert state(ptp)["command_results"] == {}


@pytest.mark.parametrize(
    ("path", "kind"),
    [("", "text/html"), ("/screen.css", "text/css"), ("/screen.js", "javascript"), ("/qr.svg?text=https://x", "svg")],
)
def test_the_terminal_has_a_screen(ptp: Provider, path: str, kind: str) -> None:
    answer = requests.get(f"{ptp.office.base_url}/terminal{path}", timeout=10)
    assert answer.ok
    assert kind in answer.headers["Content-Type"]


def test_the_screen_shows_no_other_files(ptp: Provider) -> None:
    for path in ("/__init__.py", "/%2e%2e/cards.py"):
        assert requests.get(f"{ptp.office.base_url}/terminal{path}", timeout=10).status_code == 404


def test_a_declined_capture_is_advised_without_card_data(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp, decline_capture=True)
    cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command))
    cpo.send("POST", url(ptp, "cdrs"), cdr(command))
    advice = cpo.until("POST", ADVICES)
    assert advice["capture_status_code"] == "FAILED"
    assert advice["total_costs"]["incl_vat"] == 0
    assert "eft_data" not in advice


@pytest.mark.parametrize("how", ["response", "result", "invalid"])
def test_the_hold_is_released_when_nothing_comes_of_it(cpo: FakeCPO, ptp: Provider, how: str) -> None:
    if how == "response":
        cpo.command_response = {"result": "REJECTED", "timeout": 0}
    command = start(cpo, ptp)
    if how == "result":
        cpo.send("POST", command["response_url"], {"result": "EVSE_OCCUPIED"})
    elif how == "invalid":
        cpo.send("POST", command["response_url"], {"result": "ACCEPTED"})
        cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command, status="INVALID"))
    hold = state(ptp)["holds"][command["authorization_reference"]]
    assert hold["state"] == "RELEASED"
    assert state(ptp)["captures"] == {}


def test_a_repeated_reference_does_not_release_the_first_hold(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    reference = command["authorization_reference"]
    cpo.command_response = {"result": "REJECTED", "timeout": 0}
    again = control(ptp, "tap", **PLACE, authorization_reference=reference)
    assert again["response"] == "REJECTED"
    assert state(ptp)["holds"][reference]["state"] == "HELD"


def test_a_missing_and_a_second_command_result_are_complaints(cpo: FakeCPO, ptp: Provider) -> None:
    cpo.command_response = {"result": "ACCEPTED", "timeout": 0}
    command = start(cpo, ptp)
    while "command-result" not in rules(ptp):
        assert ptp.office.log.events(after=len(ptp.office.log.events()), wait=10)
    for _ in range(2):
        cpo.send("POST", command["response_url"], {"result": "ACCEPTED"})
    assert rules(ptp) == ["command-result", "command-result"]
    assert cpo.send("POST", command["response_url"] + "x", {"result": "ACCEPTED"}).status_code == 404


def test_a_session_that_goes_backwards_is_a_complaint(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    place = url(ptp, "sessions/NL/PLU/S1")
    cpo.send("PUT", place, session(command, status="COMPLETED"))
    cpo.send("PUT", place, session(command, kwh=1, auth_method="WHITELIST"))
    assert rules(ptp) == ["session-end", "session-final", "session-kwh", "auth-method"]


def test_patches_append_charging_periods(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    place = url(ptp, "sessions/NL/PLU/S1")
    period = {"start_date_time": NOW, "dimensions": [{"type": "ENERGY", "volume": 1}]}
    cpo.send("PUT", place, session(command, charging_periods=[period]))
    cpo.send("PATCH", place, {"charging_periods": [period], "last_updated": NOW})
    assert len(cpo.send("GET", place).json()["data"]["charging_periods"]) == 2


def test_only_assigned_places_are_offered_unless_forced(cpo: FakeCPO, ptp: Provider) -> None:
    refused = control(ptp, "tap", 409, **(PLACE | {"location_id": "L2"}))
    assert "not assigned" in refused["error"]
    control(ptp, "tap", location_id="NOWHERE", evse_uid="X", connector_id="9", force=True)
    assert cpo.until("POST", "commands/START_SESSION")["location_id"] == "NOWHERE"


def test_stop_names_the_session_of_the_reference(cpo: FakeCPO, ptp: Provider) -> None:
    command = start(cpo, ptp)
    reference = command["authorization_reference"]
    control(ptp, "stop", 409, authorization_reference=reference)
    cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session(command))
    assert control(ptp, "stop", authorization_reference=reference)["response"] == "ACCEPTED"
    assert cpo.until("POST", "commands/STOP_SESSION")["session_id"] == "S1"


def test_pull_follows_pages_and_forgets_what_is_gone(cpo: FakeCPO, ptp: Provider) -> None:
    cpo.send("PUT", url(ptp, "locations/NL/PLU/OLD"), LOCATION | {"id": "OLD"})
    assert control(ptp, "pull") == {"tariffs": 1, "locations": 2}
    assert sorted(state(ptp)["locations"]) == ["L1", "L2"]


def test_an_advice_by_hand_replaces_any_field(cpo: FakeCPO, ptp: Provider) -> None:
    reference = start(cpo, ptp)["authorization_reference"]
    control(ptp, "advice", authorization_reference=reference, id="MINE", capture_status_code="FAILED")
    assert cpo.until("POST", ADVICES)["id"] == "MINE"


def test_events_can_be_waited_for(cpo: FakeCPO, ptp: Provider) -> None:
    base = f"{ptp.office.base_url}/control/events"
    seen = requests.get(base, timeout=10).json()
    assert all(event["at"].endswith("Z") for event in seen)
    start(cpo, ptp)
    news = requests.get(f"{base}?after={seen[-1]['n']}&wait=10", timeout=20).json()
    assert news and news[0]["n"] == seen[-1]["n"] + 1
