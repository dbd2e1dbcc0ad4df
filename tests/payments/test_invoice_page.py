from dataclasses import fields
from decimal import Decimal
from string import Formatter
from typing import Any

import pytest
import segno
from django.urls import reverse

from chargers.choices import SessionStatus, StopReason
from payments.models import Invoice
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import open_invoice
from payments.services.peers import invoice_base_url
from payments.texts import LANGUAGES, Texts
from payments.texts.countries import country_name
from payments.views.invoices import BUDGET, COST_OF_A_MISS
from tests.payments import factories

pytestmark = pytest.mark.usefixtures("fresh_cache")

BASE = "/invoices/terminals-bv/"
PAGE = BASE + factories.REFERENCE


@pytest.fixture
def invoice(platform: Any, evse: Any) -> Invoice:
    session = factories.make_session(platform, evse, stop_reason=StopReason.LIMIT)
    invoice = open_invoice(factories.make_cdr(session).pk)
    assert invoice is not None
    return invoice


def capture(platform: Any, **fields: Any) -> None:
    advice, _ = receive_advice(platform, factories.advice_body(**fields))
    match_advice(advice.pk)


def test_the_page_is_where_partners_are_told(platform: Any) -> None:
    address = reverse("payments:invoice", args=[platform.code, factories.REFERENCE])
    assert f"http://testserver{address}" == invoice_base_url(platform) + factories.REFERENCE


COUNTRY = {"en": "Austria", "de": "Österreich", "fr": "Autriche", "nl": "Oostenrijk", "sl": "Avstrija"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_country_is_named_in_the_language_of_the_page(client: Any, invoice: Invoice, language: str) -> None:
    html = client.get(f"{PAGE}?lang={language}").content.decode()
    assert COUNTRY[language] in html and "AUT" not in html


def test_a_country_without_a_name_keeps_its_code() -> None:
    assert [country_name(code, "de") for code in ("NLD", "XXX", "")] == ["Niederlande", "XXX", ""]


def test_the_page_says_all_that_an_invoice_must(client: Any, invoice: Invoice, evse: Any) -> None:
    html = client.get(PAGE).content.decode()
    for text in (
        invoice.number,
        "Acme Charging GmbH",
        "Ring 1, 1010 Wien",
        "ATU12345678",
        "Area VIE-HQ",
        evse.evse_id,
        "1 March 2024, 10:00 – 11:30 CET",
        "1 h 30 min",
        "20 kWh × 0.49 EUR/kWh",
        "20 %",
        "8.17",
        "1.63",
        "9.80",
        "50.00 EUR",
        "Ended automatically at the pre-authorised amount.",
        "Not yet captured",
    ):
        assert text in html
    assert '<html lang="en">' in html


def test_the_card_receipt_appears_verbatim_and_escaped(client: Any, platform: Any, invoice: Invoice) -> None:
    capture(platform, eft_data=["  VISA   ****1234", "<script>alert(1)</script>", "Bitte aufbewahren – Danke"])
    html = client.get(PAGE).content.decode()
    assert "<div>  VISA   ****1234</div>" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "Bitte aufbewahren – Danke" in html
    assert "Paid by card" in html


@pytest.mark.parametrize(
    ("status", "words"), [("SUCCESS", "Paid by card"), ("PARTIAL_SUCCESS", "Partly paid"), ("FAILED", "Not paid")]
)
def test_the_payment_is_told_in_plain_words(
    client: Any, platform: Any, invoice: Invoice, status: str, words: str
) -> None:
    capture(platform, capture_status_code=status)
    assert words in client.get(PAGE).content.decode()


def test_several_rates_are_shown_with_their_totals(client: Any, platform: Any, evse: Any) -> None:
    cost = {
        "lines": [factories.ENERGY, factories.line("PARKING_TIME", "0.5", "2", "1.0000", "1.1000", "10")],
        "vat_totals": [{"vat": "10", "gross": "1.10"}, {"vat": "20", "gross": "9.80"}],
    }
    open_invoice(factories.make_cdr(factories.make_session(platform, evse), "10.8992", cost=cost).pk)
    html = client.get(PAGE).content.decode()
    assert "<td>10 %</td><td>1.00</td><td>0.10</td><td>1.10</td>" in html
    assert "10.90" in html


def test_search_engines_caches_and_other_sites_are_kept_out(client: Any, invoice: Invoice) -> None:
    for path in (PAGE, BASE + "unknown"):
        page = client.get(path)
        assert 'name="robots" content="noindex' in page.content.decode()
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert "no-store" in page.headers["Cache-Control"]
        assert "private" in page.headers["Cache-Control"]
        assert page.headers["Referrer-Policy"] == "no-referrer"


def test_nothing_is_loaded_from_elsewhere(client: Any, invoice: Invoice) -> None:
    html = client.get(PAGE).content.decode()
    assert "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize(
    "path", [PAGE.upper().replace("/INVOICES", "/invoices"), BASE + "/" + factories.REFERENCE, PAGE + "/"]
)
def test_case_and_slashes_do_not_matter(client: Any, invoice: Invoice, path: str) -> None:
    assert invoice.number in client.get(path).content.decode()


def test_a_reference_may_contain_a_slash(client: Any, platform: Any, evse: Any) -> None:
    factories.make_session(platform, evse, "pp/T1/7")
    assert client.get(BASE + "pp/T1/7/").status_code == 200


@pytest.mark.parametrize(
    ("header", "language", "words"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de", ["Rechnung", "1. März 2024", "20 kWh × 0,49 EUR/kWh", "50,00 EUR"]),
        ("fr", "fr", ["Facture", "1 mars 2024", "9,80", "TVA"]),
        ("nl-BE", "nl", ["Factuur", "1 maart 2024", "Btw"]),
        ("sl", "sl", ["Račun", "1. 3. 2024", "DDV"]),
        ("zh;q=0.9, it;q=0.8, nl;q=0.1", "nl", ["Factuur"]),
        ("xx", "en", ["Invoice", "1 March 2024"]),
    ],
)
def test_the_page_speaks_the_language_of_the_browser(
    client: Any, invoice: Invoice, header: str, language: str, words: list[str]
) -> None:
    page = client.get(PAGE, headers={"Accept-Language": header})
    html = page.content.decode()
    assert [word for word in words if word not in html] == []
    assert page.headers["Content-Language"] == language
    assert "Accept-Language" in page.headers["Vary"]
    assert f'<html lang="{language}">' in html


def test_a_browser_without_a_language_gets_the_operators(client: Any, operator: Any, invoice: Invoice) -> None:
    operator.languages = "sl, en"
    operator.save()
    assert "Račun" in client.get(PAGE).content.decode()


def test_the_driver_may_choose_another_language(client: Any, invoice: Invoice) -> None:
    page = client.get(PAGE + "?lang=fr", headers={"Accept-Language": "de"})
    assert "Facture" in page.content.decode()
    assert 'href="?lang=de"' in page.content.decode()


def test_messages_are_in_the_language_of_the_browser(client: Any, platform: Any) -> None:
    page = client.get(BASE + "unknown", headers={"Accept-Language": "de"})
    assert "Rechnung nicht gefunden" in page.content.decode()


def test_every_language_fills_the_same_places() -> None:
    def places(value: Any) -> Any:
        if isinstance(value, str):
            return sorted(name for _, name, _, _ in Formatter().parse(value) if name)
        return sorted(value) if isinstance(value, dict) else len(value)

    names = [one.name for one in fields(Texts) if one.name not in ("style", "name")]
    english = {name: places(getattr(LANGUAGES["en"], name)) for name in names}
    for texts in LANGUAGES.values():
        assert {name: places(getattr(texts, name)) for name in names} == english


def test_amounts_are_grouped_as_the_language_does() -> None:
    written = {language: texts.style.number("-1234567.50") for language, texts in LANGUAGES.items()}
    assert written["en"] == "-1,234,567.50"
    assert written["de"] == "-1.234.567,50"
    assert written["fr"] == "-1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,50"


def test_the_page_carries_its_own_address_as_a_code_to_scan(
    client: Any, invoice: Invoice, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = segno.make
    addresses: list[str] = []
    monkeypatch.setattr(segno, "make", lambda text, **options: addresses.append(text) or made(text, **options))
    assert "<svg" in client.get(PAGE).content.decode()
    assert addresses == [invoice_base_url(platform) + factories.REFERENCE]


def test_the_cdrs_id_and_the_number_lead_to_the_invoice_too(client: Any, invoice: Invoice) -> None:
    for name in (invoice.number, invoice.cdr.uid):
        assert invoice.number in client.get(BASE + name).content.decode()


def test_numbers_can_be_tried_as_seldom_as_wrong_references(client: Any, invoice: Invoice) -> None:
    statuses = [client.get(BASE + invoice.number).status_code for _ in range(BUDGET // COST_OF_A_MISS + 1)]
    assert (statuses[0], statuses[-1]) == (200, 429)


def test_the_page_comes_while_the_cache_is_down(client: Any, invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def add(self, *args: Any) -> None:
            raise ConnectionError("Connection refused.")

    monkeypatch.setattr("payments.views.invoices.cache", Away())
    assert client.get(PAGE).status_code == 200
    assert client.get(BASE + "unknown").status_code == 404


def test_a_page_costs_few_queries(client: Any, invoice: Invoice, django_assert_num_queries: Any) -> None:
    client.get(PAGE)
    with django_assert_num_queries(2):
        client.get(PAGE)


def test_an_unknown_reference_is_a_plain_404(client: Any, platform: Any) -> None:
    for path in (PAGE, "/invoices/nobody/x"):
        page = client.get(path)
        assert page.status_code == 404
        assert "Invoice not found" in page.content.decode()


def test_a_reference_counts_for_its_own_platform_only(client: Any, operator: Any, invoice: Invoice) -> None:
    factories.make_platform(operator, party=("AT", "XYZ"), code="other")
    assert client.get(f"/invoices/other/{factories.REFERENCE}").status_code == 404


@pytest.mark.parametrize(
    ("status", "words", "refreshes"),
    [
        (SessionStatus.PENDING, "being prepared", True),
        (SessionStatus.ACTIVE, "being prepared", True),
        (SessionStatus.INVALID, "No charging took place", False),
    ],
)
def test_before_there_is_an_invoice_the_page_says_why(
    client: Any, platform: Any, evse: Any, status: str, words: str, refreshes: bool
) -> None:
    factories.make_session(platform, evse, status=status)
    page = client.get(PAGE)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert ('http-equiv="refresh"' in page.content.decode()) is refreshes


def test_between_the_end_and_the_invoice_the_page_says_that_it_is_being_prepared(
    client: Any, platform: Any, evse: Any
) -> None:
    factories.make_cdr(factories.make_session(platform, evse, status=SessionStatus.COMPLETED))
    page = client.get(PAGE).content.decode()
    assert "being prepared" in page and 'http-equiv="refresh"' in page


def test_a_reservation_that_cost_nothing_has_no_invoice(client: Any, platform: Any, evse: Any) -> None:
    factories.make_session(platform, evse, status=SessionStatus.COMPLETED)
    page = client.get(PAGE).content.decode()
    assert "being prepared" not in page and 'http-equiv="refresh"' not in page


def test_where_the_ptp_invoices_the_page_says_so(client: Any, platform: Any, evse: Any) -> None:
    factories.make_terminal(platform, invoice_creator="PTP").evses.add(evse)
    session = factories.make_session(platform, evse)
    assert open_invoice(factories.make_cdr(session).pk) is None
    assert "payment terminal" in client.get(PAGE).content.decode()


def test_a_free_session_is_nothing_to_pay(client: Any, platform: Any, evse: Any) -> None:
    cost: dict[str, Any] = {"lines": [], "vat_totals": []}
    free = {"total_cost_excl_vat": Decimal(0), "cost": cost}
    open_invoice(factories.make_cdr(factories.make_session(platform, evse), "0", **free).pk)
    html = client.get(PAGE).content.decode()
    assert "Nothing to pay" in html
    assert "Free of charge" in html


def test_guessing_references_ends_at_a_limit(client: Any, platform: Any, invoice: Invoice) -> None:
    statuses = [client.get(f"{BASE}guess-{n}").status_code for n in range(BUDGET // COST_OF_A_MISS + 1)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    refused = client.get(PAGE)
    assert refused.status_code == 429
    assert "Too many requests" in refused.content.decode()
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get(PAGE, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_reading_is_the_only_thing_one_can_do(client: Any, invoice: Invoice) -> None:
    assert client.post(PAGE).status_code == 405
