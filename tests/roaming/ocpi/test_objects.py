import json

import pytest

from roaming.ocpi.errors import InvalidParameters
from roaming.ocpi.objects import MAX_REPORTED, validate

NOW = "2025-01-31T12:00:00Z"


def token(**changes: object) -> dict:
    return {
        "country_code": "BE",
        "party_id": "PTP",
        "uid": "000123",
        "type": "AD_HOC_USER",
        "contract_id": "000123",
        "issuer": "Paying",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": NOW,
    } | changes


def start_session(**changes: object) -> dict:
    return {
        "response_url": "https://ptp.example/commands/START_SESSION/1",
        "token": token(),
        "location_id": "LOC1",
        "evse_uid": "EVSE1",
        "connector_id": "1",
        "authorization_reference": "ref-1",
    } | changes


def connector(**changes: object) -> dict:
    return {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "tariff_ids": ["T1"],
        "last_updated": NOW,
    } | changes


def location(**changes: object) -> dict:
    evse = {"uid": "EVSE1", "status": "AVAILABLE", "connectors": [connector()], "last_updated": NOW}
    return {
        "country_code": "NL",
        "party_id": "CPO",
        "id": "LOC1",
        "publish": True,
        "address": "Hauptstraße 1",
        "city": "Wien",
        "country": "AUT",
        "coordinates": {"latitude": "48.208176", "longitude": "16.373819"},
        "evses": [evse],
        "time_zone": "Europe/Vienna",
        "last_updated": NOW,
    } | changes


def advice(**changes: object) -> dict:
    return {
        "id": "FAC1",
        "authorization_reference": "ref-1",
        "total_costs": {"excl_vat": 4.00, "incl_vat": 4.40},
        "currency": "EUR",
        "eft_data": ["Card: **** 1234", "Amount: EUR 4.40"],
        "capture_status_code": "SUCCESS",
        "last_updated": NOW,
    } | changes


def problems(type_name: str, data: object, *, partial: bool = False) -> str:
    with pytest.raises(InvalidParameters) as caught:
        validate(type_name, data, partial=partial)
    return caught.value.message


@pytest.mark.parametrize(
    ("type_name", "data"),
    [
        ("StartSession", start_session()),
        ("Location", location()),
        ("FinancialAdviceConfirmation", advice()),
        ("StopSession", {"response_url": "https://ptp.example/1", "session_id": "S1"}),
        ("CommandResult", {"result": "ACCEPTED"}),
        (
            "Credentials",
            {
                "token": "abc",
                "url": "https://ptp.example/versions",
                "roles": [
                    {
                        "role": "PTP",  # no role of 2.2.1, and what a PTP sends
                        "business_details": {"name": "Paying"},
                        "party_id": "PTP",
                        "country_code": "BE",
                    }
                ],
            },
        ),
    ],
)
def test_a_correct_object_passes(type_name: str, data: object) -> None:
    validate(type_name, data)


def test_unknown_fields_pass_and_null_equals_absent() -> None:
    validate("StartSession", start_session(x_custom={"a": 1}, evse_uid=None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location_id": None}, "StartSession: location_id: is required"),
        ({"location_id": 5}, "StartSession: location_id: must be a string"),
        ({"location_id": "x" * 37}, "StartSession: location_id: must be at most 36 characters, has 37"),
        ({"location_id": "Wien\n"}, "StartSession: location_id: must be printable ASCII"),
        ({"location_id": "Straße"}, "StartSession: location_id: must be printable ASCII"),
        ({"response_url": "h" * 256}, "StartSession: response_url: must be at most 255 characters, has 256"),
        ({"token": "000123"}, "StartSession: token: must be an object"),
        ({"token": token(valid="true")}, "StartSession: token.valid: must be true or false"),
        (
            {"token": token(type="CARD")},
            "StartSession: token.type: 'CARD' is not one of AD_HOC_USER, APP_USER, OTHER, RFID",
        ),
        (
            {"token": token(last_updated="2025-01-31T12:00:00+02:00")},
            "StartSession: token.last_updated: '2025-01-31T12:00:00+02:00' is not a DateTime in UTC such as "
            "2025-01-31T12:00:00Z",
        ),
        ({"token": token(last_updated=1738324800)}, "StartSession: token.last_updated: must be a DateTime string"),
        ({"token": token(issuer="a\0b")}, "StartSession: token.issuer: must be printable text"),
        ({"token": token(issuer="\ud800")}, "StartSession: token.issuer: must be printable text"),
    ],
)
def test_a_violation_names_field_and_rule(changes: dict, message: str) -> None:
    assert problems("StartSession", start_session(**changes)) == message


def test_every_violation_is_named_with_its_path() -> None:
    data = location(country_code="NLD")
    del data["city"]
    data["evses"][0]["connectors"][0]["max_voltage"] = "high"
    data["evses"][0]["connectors"].append(connector(standard="iec_62196_t2"))
    message = problems("Location", data)
    assert "country_code: must be at most 2 characters, has 3; " in message
    assert "city: is required; " in message
    assert "evses[0].connectors[0].max_voltage: 'high' is not a whole number; " in message
    assert "evses[0].connectors[1].standard: 'iec_62196_t2' is not one of CHADEMO, " in message


def test_a_flood_of_violations_is_counted_not_listed() -> None:
    message = problems("Connector", connector(tariff_ids=[1] * 1000))
    assert message.count("must be a string") == MAX_REPORTED
    assert message.endswith(f"; and {1000 - MAX_REPORTED} more")


@pytest.mark.parametrize("value", [[], None])
def test_plus_needs_an_entry_and_star_does_not(value: object) -> None:
    validate("Connector", connector(tariff_ids=value))
    message = problems("EVSE", location()["evses"][0] | {"connectors": value})
    assert message in ("EVSE: connectors: must have at least one entry", "EVSE: connectors: is required")


@pytest.mark.parametrize("value", ["T1", {"0": "T1"}])
def test_a_list_is_a_list(value: object) -> None:
    assert problems("Connector", connector(tariff_ids=value)) == "Connector: tariff_ids: must be a list"


def test_null_inside_a_list_is_no_entry() -> None:
    assert problems("Connector", connector(tariff_ids=[None])) == "Connector: tariff_ids[0]: must be a string"


@pytest.mark.parametrize("value", [230, "230", 230.0])
def test_numbers_may_come_as_text(value: object) -> None:
    validate("Connector", connector(max_voltage=value))
    validate("Price", {"excl_vat": value})


@pytest.mark.parametrize("value", [True, "2,00", "", [], {}, float("nan"), 1e300, "9" * 30])
def test_what_is_no_number_or_beyond_any_column_is_refused(value: object) -> None:
    assert "excl_vat: " in problems("Price", {"excl_vat": value})


def test_a_whole_number_has_no_fraction_and_not_too_many_digits() -> None:
    assert problems("Connector", connector(max_voltage=230.5)).endswith("230.5 is not a whole number")
    hours = {"weekday": 12, "period_begin": "08:00", "period_end": "20:00"}
    assert problems("RegularHours", hours) == "RegularHours: weekday: must have at most 1 digits"


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_a_body_that_is_no_object_is_refused(data: object) -> None:
    assert problems("StartSession", data) == "StartSession: body: must be an object"


def test_a_patch_may_leave_out_required_fields_but_not_null_them() -> None:
    validate("Session", {"kwh": 1.5, "last_updated": NOW}, partial=True)
    validate("Session", {"end_date_time": None}, partial=True)
    assert problems("Session", {"kwh": None}, partial=True) == "Session: kwh: is required"
    assert "status" in problems("Session", {"status": "DONE"}, partial=True)


def test_the_objects_inside_a_patch_are_whole() -> None:
    message = problems("Session", {"total_cost": {"incl_vat": 1}}, partial=True)
    assert message == "Session: total_cost.excl_vat: is required"


def test_a_terminal_may_be_nothing_but_its_id() -> None:
    validate("Terminal", {"terminal_id": "T1"})
    validate("Terminal", {"terminal_id": "T1", "location_ids": [], "evse_uids": None, "city": "Zürich"})
    validate("Terminal", {"terminal_id": "T1", "invoice_base_url": "someNewURL", "country": "AUT"})
    assert problems("Terminal", {"terminal_id": ""}) == "Terminal: terminal_id: must not be empty"
    assert problems("Terminal", {}) == "Terminal: terminal_id: is required"
    message = problems("Terminal", {"terminal_id": "T1", "invoice_creator": "EMSP"})
    assert message == "Terminal: invoice_creator: 'EMSP' is not one of CPO, PTP"


@pytest.mark.parametrize(
    "total_costs",
    [
        {"excl_vat": 4.0},
        {"excl_vat": "4.00", "incl_vat": "4.40"},
        {"before_taxes": 4.0},
        {"before_taxes": 4.0, "taxes": [{"name": "VAT", "percentage": 10, "amount": 0.4}]},
    ],
)
def test_total_costs_come_in_both_shapes(total_costs: object) -> None:
    validate("FinancialAdviceConfirmation", advice(total_costs=total_costs))


def test_total_costs_in_neither_shape_are_refused() -> None:
    message = problems("FinancialAdviceConfirmation", advice(total_costs={"amount": 4.4}))
    assert message == "FinancialAdviceConfirmation: total_costs.excl_vat: is required"


def test_a_failed_capture_needs_no_card_data() -> None:
    data = advice(capture_status_code="FAILED")
    del data["eft_data"]
    validate("FinancialAdviceConfirmation", data)


def test_card_data_is_bounded() -> None:
    validate("FinancialAdviceConfirmation", advice(eft_data=["x" * 1000] * 64))
    too_many = problems("FinancialAdviceConfirmation", advice(eft_data=["x"] * 65))
    assert too_many.endswith("eft_data: must have at most 64 entries")
    too_long = problems("FinancialAdviceConfirmation", advice(eft_data=["x" * 1001]))
    assert too_long.endswith("eft_data[0]: must be at most 1000 characters, has 1001")


def test_a_custom_module_and_an_unknown_version_are_no_violation() -> None:
    validate("Endpoint", {"identifier": "payments", "role": "SENDER", "url": "https://ptp.example/payments"})
    validate("Version", {"version": "3.0", "url": "https://ptp.example/3.0"})


def test_validation_does_not_change_the_object() -> None:
    data = location()
    before = json.dumps(data)
    validate("Location", data)
    assert json.dumps(data) == before
