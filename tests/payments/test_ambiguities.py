"""What DirectPayment v1.9 leaves open, and where our reading of it is tested: one entry per ambiguity.

A22, A30 and A32 concern OCPI 2.3.0 or nothing that can be tested. What had no test stands here itself.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infrastructure import ids, outbox
from infrastructure.models import EVSE, Charger, Connector
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue, Terminal
from payments.services import drift
from payments.services.advices import match_advice
from payments.services.invoices import invoice_creator, open_invoice
from payments.services.terminals import assign_terminal
from roaming.models import Document, PlatformRole
from roaming.services import documents
from tests.payments import factories
from tests.roaming.client import client_with
from tests.tariffs.factories import SettingsFactory, make_published

ADVICES_PATH = "2.2.1/payments/financial-advice-confirmations"
ROOT = Path(__file__).parents[2]
HERE = "tests/payments/test_ambiguities.py"
ENDPOINTS = "tests/payments/test_ocpi_endpoints.py"
TERMINALS = "tests/payments/test_terminals.py"
PUT = "tests/payments/test_terminal_put.py"
ADVICES = "tests/payments/test_advices.py"
WORKLIST = "tests/payments/test_worklist.py"
PAGE = "tests/payments/test_invoice_page.py"
CONFORMANCE = "tests/conformance"

TESTED = {
    "A1 one payments endpoint or two": (f"{CONFORMANCE}/test_payments.py", "test_134_the_address_of_terminals"),
    "A2 the role of a PTP": (HERE, "test_any_role_of_a_ptp_is_taken"),
    "A3 payments is for PTPs only": (f"{CONFORMANCE}/test_credentials.py", "test_039_payments_for_ptps_only"),
    "A4 a terminal of only an id": (f"{CONFORMANCE}/test_payments.py", "test_120_a_terminal_may_have_nothing"),
    "A5 empty lists unassign": (TERMINALS, "test_unassigning_sends_empty_lists"),
    "A6 an invoice address that is none": (HERE, "test_an_address_that_is_none_is_kept_and_never_a_link"),
    "A6 a PUT erases nothing": (PUT, "test_reference_and_invoice_address_are_put_with_all_that_the_ptp_holds"),
    "A7 we always send last_updated": (TERMINALS, "test_the_push_has_full_lists_and_nothing_else"),
    "A8 who owns the assignment": (TERMINALS, "test_another_opinion_of_the_ptp_is_answered_once"),
    "A9 a terminal posted again": (ENDPOINTS, "test_a_terminal_is_created_once_and_then_updated"),
    "A10 PUT and PATCH at our side": (ENDPOINTS, "test_put_and_patch_are_taken_as_updates"),
    "A11 the answer of a POST": (ENDPOINTS, "test_a_terminal_is_created_once_and_then_updated"),
    "A12 countries of two and three letters": (TERMINALS, "test_the_country_has_three_letters"),
    "A13 addresses beyond ASCII": (HERE, "test_addresses_may_have_umlauts"),
    "A14 whose terminal it is": (TERMINALS, "test_the_party_decides_before_the_reference"),
    "A15 areas and EVSEs add up": (f"{CONFORMANCE}/test_payments.py", "test_123_areas_and_evses_add_up"),
    "A15 they add up in our own eyes": (HERE, "test_a_terminal_serves_its_areas_and_its_evses"),
    "A15 unknown ids are flagged": (WORKLIST, "test_places_that_we_do_not_have"),
    "A16 the printed example is no JSON": (ENDPOINTS, "test_the_printed_example_is_not_json"),
    "A17 card data, missing and plenty": (HERE, "test_card_data_may_be_missing_or_plenty"),
    "A18 both shapes of a price": (ADVICES, "test_both_shapes_of_a_price_are_understood"),
    "A18 another currency": (WORKLIST, "test_a_capture_that_is_not_the_bill"),
    "A19 early, unknown, twice, several": (ADVICES, "test_the_newest_of_several_counts_and_the_others_stay"),
    "A20 a tariff by its id": (f"{CONFORMANCE}/test_tariffs.py", "test_082_a_tariff_by_its_id"),
    "A21 we stop before the blocked amount": (f"{CONFORMANCE}/test_payments.py", "test_132_we_stop_before"),
    "A23 the whole tariff": (f"{CONFORMANCE}/test_tariffs.py", "test_079_a_terminals_tariff_tells_the_amount"),
    "A24 slashes and case of an invoice address": (PAGE, "test_case_and_slashes_do_not_matter"),
    "A25 an invoice by either reference": (PAGE, "test_the_cdrs_id_and_the_number_lead_to_the_invoice_too"),
    "A26 no invoice creator": (
        "tests/payments/test_opening_invoices.py",
        "test_the_ptp_invoices_where_all_its_terminals_say_so",
    ),
    "A27 a reference used again": ("tests/roaming/test_commands.py", "test_a_reference_used_for_another_start"),
    "A28 the token is any": (HERE, "test_payments_meet_by_reference_whatever_the_token"),
    "A29 accepted but never plugged in": (WORKLIST, "test_never_plugged_in_until_the_partner_knows"),
    "A27 one reference at two PTPs": (HERE, "test_two_ptps_may_use_one_reference_and_one_advice_id"),
    "A31 no zone is UTC": (HERE, "test_times_without_a_zone_are_utc"),
    "A33 unique in an area": (HERE, "test_outlets_of_one_area_are_told_apart"),
    "A31 malformed dates": (ENDPOINTS, "test_what_is_not_understood_is_2001_and_stores_nothing"),
    "A33 what is written on the outlet": (HERE, "test_the_outlet_is_named_after_its_id"),
}


@pytest.mark.parametrize("ambiguity", TESTED)
def test_each_ambiguity_has_its_test(ambiguity: str) -> None:
    path, name = TESTED[ambiguity]
    assert re.search(rf"def {name}", (ROOT / path).read_text())


def test_none_is_left_out() -> None:
    wanted = {f"A{number}" for number in range(1, 34)} - {"A22", "A30", "A32"}
    assert {entry.split()[0] for entry in TESTED} == wanted


@pytest.mark.parametrize("role", ["PTP", "EMSP", "OTHER", "SOMETHING"])
def test_any_role_of_a_ptp_is_taken(ocpi: Any, platform: Any, role: str) -> None:
    PlatformRole.objects.filter(platform=platform).update(role=role)
    assert ocpi.call("POST", "2.2.1/payments/terminals", {"terminal_id": "T1"}).status_code == 201


@pytest.mark.parametrize("url", ["someNewURL", "javascript:alert(1)"])
def test_an_address_that_is_none_is_kept_and_never_a_link(
    ocpi: Any, admin_client: Any, operator: Any, url: str
) -> None:
    ocpi.call("POST", "2.2.1/payments/terminals", {"terminal_id": "T1", "invoice_base_url": url})
    terminal = Terminal.objects.get()
    assert terminal.invoice_base_url == url
    html = admin_client.get(f"/admin/payments/terminal/{terminal.pk}/change/").content.decode()
    assert url in html
    assert f'href="{url}' not in html


def test_addresses_may_have_umlauts(ocpi: Any) -> None:
    body = {"terminal_id": "T1", "address": "Große Mühlgasse 1", "city": "Łódź"}
    assert ocpi.call("POST", "2.2.1/payments/terminals", body).status_code == 201
    told = ocpi.call("GET", "2.2.1/payments/terminals/T1").json()["data"]
    assert (told["address"], told["city"]) == (body["address"], body["city"])


def test_a_terminal_serves_its_areas_and_its_evses(platform: Any, operator: Any, area: Any, evse: Any) -> None:
    """One list does not restrict the other: neither for who stands where nor for who makes the invoice."""
    elsewhere = factories.make_evse(factories.make_area(operator, "ELSEWHERE"))
    terminal = factories.make_terminal(platform, "T1", operator=operator, invoice_creator="PTP")
    assign_terminal(terminal, [area], [elsewhere])
    for served in (evse, elsewhere):
        assert list(drift.serving(served, platform)) == [terminal]
        assert invoice_creator(factories.make_session(platform, served, f"REF-{served.pk}"), platform) == "PTP"


@pytest.mark.parametrize("lines", [None, ["x" * 1000], [f"line {number}" for number in range(64)]])
def test_card_data_may_be_missing_or_plenty(ocpi: Any, lines: list[str] | None) -> None:
    body = factories.advice_body()
    body.pop("eft_data")
    if lines is not None:
        body["eft_data"] = lines
    answer = ocpi.call("POST", "2.2.1/payments/financial-advice-confirmations", body)
    assert (answer.status_code, answer.json()["status_code"]) == (201, 1000)
    assert FinancialAdviceConfirmation.objects.get().eft_data == (lines or [])


def test_payments_meet_by_reference_whatever_the_token(ocpi: Any, platform: Any, evse: Any) -> None:
    """Trace numbers roll over: two sessions of one token are two payments."""
    for reference in ("pp-1", "pp-2"):
        open_invoice(factories.make_cdr(factories.make_session(platform, evse, reference)).pk)
    ocpi.call("POST", "2.2.1/payments/financial-advice-confirmations", factories.advice_body("A1", "PP-2"))
    match_advice(FinancialAdviceConfirmation.objects.get().pk)
    assert dict(Invoice.objects.values_list("authorization_reference", "capture_status_code")) == {
        "pp-1": "",
        "pp-2": "SUCCESS",
    }


def test_two_ptps_may_use_one_reference_and_one_advice_id(ocpi: Any, platform: Any, operator: Any, evse: Any) -> None:
    """A27: a reference is unique within a connection only. Each advice meets the session of its own sender."""
    other = factories.make_platform(operator, party=("AT", "OTH"), server_token="other", code="other")
    for one in (platform, other):
        open_invoice(factories.make_cdr(factories.make_session(one, evse)).pk)
    client_with("other").call("POST", ADVICES_PATH, factories.advice_body(capture_status_code="FAILED"))
    ocpi.call("POST", ADVICES_PATH, factories.advice_body())
    outbox.drain()
    told = Invoice.objects.values_list("platform", "capture_status_code", "advice__platform")
    assert sorted(told) == sorted([(platform.pk, "SUCCESS", platform.pk), (other.pk, "FAILED", other.pk)])
    assert set(PaymentIssue.objects.filter(kind="CAPTURE_FAILED").values_list("platform", flat=True)) == {other.pk}
    assert not PaymentIssue.objects.filter(kind__in=["FOREIGN_SESSION", "DUPLICATE_ID", "SEVERAL_CAPTURES"]).exists()


@pytest.mark.parametrize("moment", ["2024-03-01T10:31:00", "2024-03-01T10:31:00Z", "2024-03-01T10:31:00.000Z"])
def test_times_without_a_zone_are_utc(ocpi: Any, moment: str) -> None:
    ocpi.call("POST", ADVICES_PATH, factories.advice_body(last_updated=moment))
    found = FinancialAdviceConfirmation.objects.get()
    assert found.last_updated == datetime(2024, 3, 1, 10, 31, tzinfo=UTC)
    listed = ocpi.call("GET", f"{ADVICES_PATH}?date_from={moment}").json()["data"]
    assert len(listed) == 1
    assert ocpi.call("GET", f"{ADVICES_PATH}?date_to={moment}").json()["data"] == []


def test_outlets_of_one_area_are_told_apart(platform: Any, area: Any, evse: Any) -> None:
    """Two chargers with an EVSE id that ends alike; one that a person named keeps its name."""
    tariff = make_published()
    SettingsFactory(operator=area.operator, tariffs=[tariff])
    platform.tariffs.add(tariff)
    type(area).objects.update(phone="+43 1 000")
    second = Charger.objects.create(identity="CP-NEXT", location=area, roaming_id="CP-NEXT", roaming=True)
    for number, own in ((1, ""), (2, "B2")):
        outlet = EVSE.objects.create(
            charger=second, number=number, evse_id=f"AT*PLG*EX{number}*1", physical_reference=own
        )
        Connector.objects.create(evse=outlet, roaming_id="1")
    documents.refresh_platform(platform.pk)
    (body,) = Document.objects.filter(module="locations").values_list("body", flat=True)
    assert [one["physical_reference"] for one in body["evses"]] == [f"{evse.charger.identity}-1", "CP-NEXT-1", "B2"]


def test_the_outlet_is_named_after_its_id() -> None:
    assert ids.default_physical_reference("AT*PLG*E0001*2", 2) == "2"
    assert len(ids.default_physical_reference("AT*PLG*E" + "1" * 30, 1)) <= 16
