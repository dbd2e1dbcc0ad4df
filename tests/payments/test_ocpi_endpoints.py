from typing import Any

import pytest

from infrastructure.models import OutboxEvent
from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.choices import PlatformType
from tests.payments import factories
from tests.roaming.client import client_with

TERMINALS = "2.2.1/payments/terminals"
ADVICES = "2.2.1/payments/financial-advice-confirmations"

# DirectPayment v1.9, 5.2.1.3, as printed: a quotation mark is missing.
PRINTED_ADVICE = b"""{
  "id": "452cf8a1-79aa-4a0e-9aee-dc788586053c",
  "eft_data": ["Amount": EUR 4.40"]
}"""


@pytest.fixture
def stranger(operator: Any) -> Any:
    """Another PTP with the same operator."""
    factories.make_platform(operator, party=("AT", "XYZ"), server_token="stranger")
    return client_with("stranger")


def test_a_terminal_is_created_once_and_then_updated(ocpi: Any) -> None:
    first = ocpi.call("POST", TERMINALS, {"terminal_id": "T/1"})
    again = ocpi.call("POST", TERMINALS, {"terminal_id": "t/1", "city": "Wien", "unheard_of": 1})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["status_code"] == 1000
    assert "data" not in first.json()
    assert first.headers["Location"] == f"http://testserver/ocpi/{TERMINALS}/T/1"
    assert Terminal.objects.get().city == "Wien"


def test_a_terminal_of_only_an_id_comes_back_complete(ocpi: Any) -> None:
    ocpi.call("POST", f"{TERMINALS}/", {"terminal_id": "T1"})
    terminal = ocpi.call("GET", f"{TERMINALS}/t1").json()["data"]
    assert terminal.pop("last_updated").endswith("Z")
    assert terminal == {"terminal_id": "T1", "location_ids": [], "evse_uids": []}


def test_a_full_terminal_comes_back_as_it_was(ocpi: Any, area: Any, evse: Any) -> None:
    body = {
        "terminal_id": "T1",
        "customer_reference": "Chargepoint",
        "address": "Straße 1",
        "city": "Vienna",
        "country": "AUT",
        "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
        "invoice_base_url": "someNewURL",
        "invoice_creator": "CPO",
        "location_ids": [area.roaming_id],
        "evse_uids": [evse.effective_uid],
        "last_updated": "2018-12-10T17:16:15Z",
    }
    ocpi.call("POST", TERMINALS, body)
    assert ocpi.call("GET", f"{TERMINALS}/T1").json()["data"] == body


def test_put_and_patch_are_taken_as_updates(ocpi: Any) -> None:
    assert ocpi.call("PUT", f"{TERMINALS}/T1", {"city": "Wien", "address": "Ring 1"}).status_code == 201
    assert ocpi.call("PATCH", f"{TERMINALS}/T1", {"city": "Graz", "address": None}).status_code == 200
    terminal = Terminal.objects.get()
    assert (terminal.city, terminal.address) == ("Graz", "")


def test_a_patch_of_an_unknown_terminal_creates_nothing(ocpi: Any) -> None:
    assert ocpi.call("PATCH", f"{TERMINALS}/T1", {"city": "Graz"}).status_code == 404
    assert not Terminal.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{TERMINALS}/T1", {"terminal_id": "T2"}),
        ("PUT", f"{ADVICES}/A1", factories.advice_body("A2")),
        ("POST", TERMINALS, {"city": "Wien"}),
        ("POST", TERMINALS, {"terminal_id": "T1", "invoice_creator": "EMSP"}),
        ("POST", ADVICES, {"id": "A1"}),
        ("POST", ADVICES, []),
        ("GET", f"{TERMINALS}?date_from=2019-01-9T12:00:00", None),
    ],
)
def test_what_is_not_understood_is_2001_and_stores_nothing(ocpi: Any, method: str, path: str, body: Any) -> None:
    answer = ocpi.call(method, path, body)
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    assert not Terminal.objects.exists()
    assert not FinancialAdviceConfirmation.objects.exists()


def test_the_printed_example_is_not_json(ocpi: Any) -> None:
    assert ocpi.call("POST", ADVICES, PRINTED_ADVICE).status_code == 400


@pytest.mark.parametrize("path", [ADVICES, f"{ADVICES}/", "2.2.1/payments/financial_advice_confirmations"])
def test_an_advice_for_an_unknown_session_is_taken(ocpi: Any, path: str) -> None:
    answer = ocpi.call("POST", path, factories.advice_body())
    assert (answer.status_code, answer.json()["status_code"]) == (201, 1000)
    assert OutboxEvent.objects.filter(topic="advice").count() == 1
    assert ocpi.call("GET", f"{path}/a1").json()["data"] == factories.advice_body()


def test_an_advice_put_again_is_updated(ocpi: Any) -> None:
    assert ocpi.call("PUT", f"{ADVICES}/A1", factories.advice_body()).status_code == 201
    assert ocpi.call("POST", ADVICES, factories.advice_body()).status_code == 200


@pytest.mark.parametrize("path", [TERMINALS, ADVICES])
def test_lists_have_pages_and_filters(ocpi: Any, path: str) -> None:
    for n in range(1, 4):
        moment = f"2024-01-0{n}T00:00:00Z"
        body = {"terminal_id": f"T{n}"} if path == TERMINALS else factories.advice_body(f"A{n}")
        ocpi.call("POST", path, body | {"last_updated": moment})
    page = ocpi.call("GET", f"{path}?date_from=2024-01-02T00:00:00Z&limit=1")
    assert (len(page.json()["data"]), page.headers["X-Total-Count"]) == (1, "2")
    assert f"/ocpi/{path}?" in page.headers["Link"]


def test_another_ptp_sees_nothing_of_it(ocpi: Any, stranger: Any) -> None:
    ocpi.call("POST", TERMINALS, {"terminal_id": "T1"})
    ocpi.call("POST", ADVICES, factories.advice_body())
    for path in (f"{TERMINALS}/T1", f"{ADVICES}/A1"):
        unknown = stranger.call("GET", f"{path}-none")
        answer = stranger.call("GET", path)
        assert answer.status_code == 404
        assert answer.json()["status_message"] == unknown.json()["status_message"]
    assert stranger.call("GET", TERMINALS).json()["data"] == []
    assert stranger.call("GET", ADVICES).json()["data"] == []
    assert stranger.call("PATCH", f"{TERMINALS}/T1", {"city": "x"}).status_code == 404


def test_the_same_ids_of_two_ptps_are_two_objects(ocpi: Any, stranger: Any) -> None:
    for client in (ocpi, stranger):
        assert client.call("POST", TERMINALS, {"terminal_id": "T1"}).status_code == 201
        assert client.call("POST", ADVICES, factories.advice_body()).status_code == 201


def test_platforms_without_terminals_have_no_payments_module(operator: Any) -> None:
    factories.make_platform(operator, type=PlatformType.EMSP, server_token="emsp")
    for path in (TERMINALS, ADVICES, f"{TERMINALS}/T1"):
        assert client_with("emsp").call("GET", path).status_code == 404


def test_nobody_gets_in_without_a_token(db: None) -> None:
    assert client_with("").call("POST", ADVICES, factories.advice_body()).status_code == 401


def test_a_page_of_terminals_costs_the_same_number_of_queries_however_long(
    ocpi: Any, platform: Any, area: Any, django_assert_num_queries: Any
) -> None:
    for n in range(1, 4):
        factories.make_terminal(platform, f"T{n}").evses.add(factories.make_evse(area, n))
    ocpi.call("GET", TERMINALS)
    with django_assert_num_queries(6):
        ocpi.call("GET", TERMINALS)
