"""Statements 55 to 64: what partners read and hear of the infrastructure."""

import re
from typing import Any

import pytest

from tests.conformance.charger import until
from tests.conformance.client import Json
from tests.conformance.marks import statement
from tests.conformance.seed import AREAS
from tests.conformance.stage import Peer, Stage
from tests.e2e.admin_site import text_of

EDIT = "/2.2.1/locations/AT/VLT/EDIT"


@pytest.fixture
def places(ptp: Peer) -> list[Json]:
    found: list[Json] = ptp.client.get("locations").data
    assert len(found) == AREAS
    return found


def evses(places: list[Json]) -> list[Json]:
    return [evse for place in places for evse in place["evses"] if evse["status"] != "REMOVED"]


def evse_of(place: Json, uid: str) -> Json:
    return next(evse for evse in place["evses"] if evse["uid"] == uid)


def test_055_a_change_of_a_connector_moves_all_above(stage: Stage, ptp: Peer) -> None:
    before = ptp.client.get("locations/EDIT").data
    evse = stage.row("infrastructure/evse", "AT*VLT*ECPEDIT*1")
    power = stage.admin.form(f"{evse}change/").beside("roaming_id", "1", "max_electric_power")
    stage.admin.save(f"{evse}change/", **{power: "11000"})
    path = "locations/EDIT/CP-EDIT-1/1"
    until("the new power", lambda: ptp.client.get(path).data["max_electric_power"] == 11_000)
    after = ptp.client.get("locations/EDIT").data
    moved = evse_of(after, "CP-EDIT-1")
    # The place as it was stored, its parts as they were rendered, a moment before.
    assert after["last_updated"] >= moved["last_updated"] == moved["connectors"][0]["last_updated"]
    assert moved["last_updated"] > before["last_updated"]
    assert evse_of(after, "CP-EDIT-2") == evse_of(before, "CP-EDIT-2")
    listed = ptp.client.get(f"locations?date_from={after['last_updated']}").data
    assert "EDIT" in [place["id"] for place in listed]


def test_056_a_removed_evse_stays_with_its_status(stage: Stage, ptp: Peer) -> None:
    since = ptp.partner.now
    stage.admin.delete(stage.row("infrastructure/evse", "AT*VLT*ECPEDIT*3"))
    until("the removal", lambda: "REMOVED" in str([call.body for call in ptp.partner.calls("P", EDIT, since)]))
    removed = ptp.client.get("locations/EDIT/CP-EDIT-3").data
    assert removed["status"] == "REMOVED"
    assert removed["connectors"]
    assert ptp.partner.calls("DELETE", "/2.2.1/locations") == []


def test_057_every_level_has_an_address(ptp: Peer) -> None:
    place = ptp.client.get("locations/MAIN").data
    evse = ptp.client.get("locations/MAIN/CP-1-1").data
    connector = ptp.client.get("locations/MAIN/CP-1-1/1").data
    assert evse == evse_of(place, "CP-1-1")
    assert connector == evse["connectors"][0]
    assert connector["standard"] == "IEC_62196_T2"
    for unknown in ("locations/MAIN/CP-1-99", "locations/MAIN/CP-1-1/9", "locations/NONE/CP-1-1/1"):
        assert ptp.client.get(unknown).http == 404


def test_058_a_patch_has_what_changed_and_last_updated(stage: Stage, ptp: Peer) -> None:
    evse, since = stage.evse(), ptp.partner.now
    stage.charger.status(evse, "Faulted")
    told = ptp.partner.wait("PATCH", f"/2.2.1/locations/AT/VLT/MAIN/CP-1-{evse}", since)
    assert told.body.keys() == {"status", "last_updated"}
    assert told.body["status"] == "OUTOFORDER"
    assert all("last_updated" in call.body for call in ptp.partner.calls("PATCH", "/2.2.1/"))


def test_059_coordinates_are_strings(places: list[Json]) -> None:
    for place in places:
        assert re.fullmatch(r"-?\d{1,2}\.\d{5,7}", place["coordinates"]["latitude"])
        assert re.fullmatch(r"-?\d{1,3}\.\d{5,7}", place["coordinates"]["longitude"])


def test_060_limited_hours_are_listed(places: list[Json]) -> None:
    hours: dict[str, Any] = {place["id"]: place["opening_times"] for place in places}
    assert hours["MAIN"] == {"twentyfourseven": True}
    assert hours["NIGHT"]["twentyfourseven"] is False
    assert hours["NIGHT"]["regular_hours"]


@statement(60)
def test_060_staff_cannot_leave_them_out(stage: Stage) -> None:
    row = stage.row("infrastructure/location", "NIGHT")
    answer = stage.admin.submit(f"{row}change/", opening_times='{"twentyfourseven": false}')
    assert answer.status_code == 200, "a location without any hours was saved"
    assert "regular_hours" in text_of(answer.text)


def test_061_only_hidden_locations_say_who_may_see_them(places: list[Json]) -> None:
    allowed = {place["id"]: (place["publish"], place.get("publish_allowed_to")) for place in places}
    assert allowed["MAIN"] == (True, None)
    assert allowed["NIGHT"] == (False, [{"issuer": "Club", "visual_number": "1"}])


@statement(61)
def test_061_who_may_see_a_location_is_of_no_matter_once_all_may(stage: Stage, ptp: Peer) -> None:
    stage.save("infrastructure/location", "NIGHT", publish=True)
    shown = until("the publication", lambda: (found := ptp.client.get("locations/NIGHT").data)["publish"] and found)
    stage.save("infrastructure/location", "NIGHT", publish=False)
    hidden = until("its end", lambda: not (found := ptp.client.get("locations/NIGHT").data)["publish"] and found)
    assert "publish_allowed_to" not in shown
    assert hidden["publish_allowed_to"] == [{"issuer": "Club", "visual_number": "1"}]


def test_062_what_a_terminal_needs_is_there(places: list[Json], ptp: Peer, emsp: Peer) -> None:
    found = evses(places)
    assert len(found) > 20
    assert all(evse["physical_reference"] for evse in found)
    assert all(connector["tariff_ids"] for evse in found for connector in evse["connectors"])
    # Where no tariff applies, an eMSP sees the outlet and a terminal does not.
    assert "tariff_ids" not in emsp.client.get("locations/BARE").data["evses"][0]["connectors"][0]
    assert ptp.client.get("locations/BARE").http == 404


def test_063_a_terminal_sees_no_roaming_tariff(places: list[Json], ptp: Peer, emsp: Peer) -> None:
    named = {tariff for evse in evses(places) for plug in evse["connectors"] for tariff in plug["tariff_ids"]}
    assert named == {"ADHOC"}
    assert [tariff["id"] for tariff in ptp.client.get("tariffs").data if tariff["party_id"] == "VLT"] == ["ADHOC"]
    assert "PLAIN" in [tariff["id"] for tariff in emsp.client.get("tariffs").data]


def test_064_no_second_tariff_of_a_type_at_a_time(stage: Stage) -> None:
    add = "tariffs/roamingtariff/add/"
    form = stage.admin.form(add)
    detail = form.new_row("details", 0, energy_price="0.80", energy_vat="20")
    fields = {"name": "Second", "code": "ADHOC-2", "type": "AD_HOC_PAYMENT", "preauthorisation": "50"}
    stage.admin.save(add, status="ACTIVE", **fields, **detail)
    tariffs = [stage.admin.rows("tariffs/roamingtariff", code)[0] for code in ("ADHOC", "PLAIN", "ADHOC-2")]
    platform = stage.row("roaming/roamingplatform", "other")
    stage.admin.save(f"{platform}change/", tariffs=tariffs)
    settings = stage.row("tariffs/sessionsettings", "Volt")
    answer = stage.admin.submit(f"{settings}change/", tariffs=tariffs)
    assert answer.status_code == 200, "two ad hoc tariffs apply to one connector"
    found = [
        plug["tariff_ids"] for evse in evses(stage.other.client.get("locations").data) for plug in evse["connectors"]
    ]
    assert all(ids == ["ADHOC"] for ids in found)
