"""Every rule a CPO breaks gets the right status and becomes a complaint."""

import copy
from typing import Any

import pytest

from payments.simulator.run import Provider
from tests.simulators.conftest import state
from tests.simulators.fake_cpo import CONNECTOR, EVSE, LOCATION, NOW, OWNER, TARIFF, FakeCPO

LATER = "2026-01-01T13:00:00Z"


def url(ptp: Provider, path: str) -> str:
    return f"{ptp.office.base_url}/ocpi/2.2.1/{path}"


def rules(ptp: Provider) -> list[str]:
    return [complaint["rule"] for complaint in state(ptp)["complaints"]]


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"X_Request_ID": None}, "x-request-id"),
        ({"X_Correlation_ID": None}, "x-correlation-id"),
        ({"Content_Type": "text/plain"}, "content-type"),
        ({"OCPI_to_country_code": "NL"}, "routing-headers"),
    ],
)
def test_headers(cpo: FakeCPO, ptp: Provider, headers: dict[str, str | None], rule: str) -> None:
    answer = cpo.send("PUT", url(ptp, "tariffs/NL/PLU/T1"), TARIFF, **headers)
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    assert rules(ptp) == [rule]


def test_a_request_id_is_used_once(cpo: FakeCPO, ptp: Provider) -> None:
    for expected in (1000, 2001):
        answer = cpo.send("GET", url(ptp, "credentials"), X_Request_ID="same")
        assert answer.json()["status_code"] == expected
        assert answer.headers["X-Request-ID"] == "same"


def test_broken_json_is_400(cpo: FakeCPO, ptp: Provider) -> None:
    answer = cpo.send("PUT", url(ptp, "tariffs/NL/PLU/T1"), b'{"id": ')
    assert (answer.status_code, answer.json()["status_code"]) == (400, 2001)


@pytest.mark.parametrize(
    ("path", "change", "named"),
    [
        ("tariffs/NL/PLU/T1", {"max_price": None}, "max_price is missing"),
        ("tariffs/NL/PLU/T1", {"tariff_alt_text": []}, "tariff_alt_text is missing"),
        ("tariffs/NL/PLU/T1", {"currency": 5}, "currency 5 is not a string"),
        ("tariffs/NL/PLU/T1", {"type": "CHEAP"}, "is no TariffType"),
        ("tariffs/NL/PLU/T1", {"last_updated": "2026-01-01T12:00:00+01:00"}, "no OCPI DateTime"),
        ("tariffs/NL/PLU/T1", {"max_price": {"excl_vat": 1.23456}}, "more than 4 decimals"),
        ("tariffs/NL/PLU/OTHER", {}, "in the URL"),
        ("locations/NL/PLU/L1", {"coordinates": {"latitude": "52", "longitude": "5.1"}}, "no coordinate"),
        ("locations/NL/PLU/L1", {"evses": [EVSE | {"physical_reference": None}]}, "physical_reference"),
    ],
)
def test_objects(cpo: FakeCPO, ptp: Provider, path: str, change: dict[str, Any], named: str) -> None:
    whole = TARIFF if path.startswith("tariffs") else LOCATION
    answer = cpo.send("PUT", url(ptp, path), whole | change)
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    assert named in state(ptp)["complaints"][0]["message"]


def test_owners_methods_and_unknown_objects(cpo: FakeCPO, ptp: Provider) -> None:
    assert cpo.send("PUT", url(ptp, "tariffs/NL/XXX/T1"), TARIFF).status_code == 404
    assert cpo.send("PATCH", url(ptp, "tariffs/NL/PLU/T1"), TARIFF).status_code == 405
    assert rules(ptp) == ["ownership", "method"]
    patch = {"status": "CHARGING", "last_updated": NOW}
    assert cpo.send("PATCH", url(ptp, "locations/NL/PLU/L1/E1"), patch).status_code == 404
    assert len(rules(ptp)) == 2


def test_locations_change_at_every_level_and_the_change_rises(cpo: FakeCPO, ptp: Provider) -> None:
    place = url(ptp, "locations/NL/PLU/L1")
    assert cpo.send("PUT", place, LOCATION).status_code == 201
    assert cpo.send("PATCH", f"{place}/E1", {"status": "CHARGING"}).json()["status_code"] == 2001
    assert cpo.send("PATCH", f"{place}/E1", {"status": "CHARGING", "last_updated": LATER}).ok
    changed = copy.deepcopy(CONNECTOR) | {"max_amperage": 16, "last_updated": LATER}
    assert cpo.send("PUT", f"{place}/E1/1", changed).status_code == 200
    kept = cpo.send("GET", place).json()["data"]
    assert kept["last_updated"] == kept["evses"][0]["last_updated"] == LATER
    assert kept["evses"][0]["status"] == "CHARGING"
    assert cpo.send("GET", f"{place}/E1/1").json()["data"]["max_amperage"] == 16
    assert cpo.send("PATCH", f"{place}/E1", {"status": "AVAILABLE", "last_updated": NOW}).ok
    assert rules(ptp) == ["last-updated", "last-updated-backwards"]


def test_a_removed_evse_needs_neither_reference_nor_tariff(cpo: FakeCPO, ptp: Provider) -> None:
    gone = EVSE | {"status": "REMOVED", "physical_reference": None}
    gone["connectors"] = [CONNECTOR | {"tariff_ids": []}]
    assert cpo.send("PUT", url(ptp, "locations/NL/PLU/L1"), LOCATION | {"evses": [gone]}).status_code == 201


def test_terminals_are_listed_in_pages_and_assigned(cpo: FakeCPO, ptp: Provider) -> None:
    first = cpo.send("GET", url(ptp, "payments/terminals?limit=1"))
    assert first.headers["X-Total-Count"] == "2"
    second = cpo.send("GET", first.links["next"]["url"])
    assert [one["terminal_id"] for one in second.json()["data"]] == ["NLPTP100102"]
    assert "next" not in second.links
    one = url(ptp, "payments/terminals/NLPTP100102")
    put = {"terminal_id": "NLPTP100102", "evse_uids": ["E1"], "location_ids": [], "last_updated": LATER}
    assert cpo.send("PUT", one, put).ok
    assert cpo.send("GET", one).json()["data"]["evse_uids"] == ["E1"]
    assert cpo.send("PATCH", one, {"terminal_id": "OTHER"}).json()["status_code"] == 2001
    assert cpo.send("GET", url(ptp, "payments/terminals?date_from=2026-1-1")).json()["status_code"] == 2001


def test_sessions_and_cdrs_of_strangers_are_refused(cpo: FakeCPO, ptp: Provider) -> None:
    session = OWNER | {
        "id": "S1",
        "start_date_time": NOW,
        "kwh": 0,
        "cdr_token": OWNER | {"uid": "1", "type": "RFID", "contract_id": "C"},
        "auth_method": "WHITELIST",
        "authorization_reference": "not-ours",
        "location_id": "L1",
        "evse_uid": "E1",
        "connector_id": "1",
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": NOW,
    }
    answer = cpo.send("PUT", url(ptp, "sessions/NL/PLU/S1"), session)
    assert answer.json()["status_code"] == 2001
    assert rules(ptp) == ["authorization-reference"]


@pytest.mark.parametrize("kind", ["500", "drop", "lost", "garbage"])
def test_faults_on_demand(cpo: FakeCPO, ptp: Provider, kind: str) -> None:
    import requests

    from tests.simulators.conftest import control

    control(ptp, "faults", module="tariffs", kind=kind, times=1)
    path = url(ptp, "tariffs/NL/PLU/T1")
    try:
        answer = cpo.send("PUT", path, TARIFF)
        assert answer.status_code == 500 if kind == "500" else "html" in answer.text
    except requests.ConnectionError:
        assert kind in {"drop", "lost"}
    assert ("T1" in state(ptp)["tariffs"]) is (kind == "lost")
    assert cpo.send("PUT", path, TARIFF).status_code == (200 if kind == "lost" else 201)
