"""The work list, the books and the coverage page as staff use them."""

from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from openpyxl import load_workbook

from infrastructure.models import OperatorMembership
from payments.models import PaymentIssue
from payments.services import exports, worklist
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import open_invoice
from tests.payments import factories


@pytest.fixture
def issue(platform: Any, evse: Any) -> PaymentIssue:
    """A failed capture at a terminal."""
    factories.make_terminal(platform, "T1", operator=evse.charger.location.operator).evses.add(evse)
    open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    advice, _ = receive_advice(platform, factories.advice_body(capture_status_code="FAILED"))
    match_advice(advice.pk)
    worklist.look_at_advice(advice.pk)
    return PaymentIssue.objects.get()


def staff(client: Any, operator: Any) -> Any:
    ann = get_user_model().objects.create_user("ann", is_staff=True)
    ann.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["payments", "chargers"]))
    OperatorMembership.objects.create(user=ann, operator=operator)
    client.force_login(ann)
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


class TestTheWorkList:
    def page(self, issue: PaymentIssue) -> str:
        return reverse("admin:payments_paymentissue_change", args=[issue.pk])

    def test_it_shows_what_is_open_and_what_can_be_done(self, admin_client: Any, issue: PaymentIssue) -> None:
        listed = text(admin_client.get(reverse("admin:payments_paymentissue_changelist")))
        assert "9.80 EUR are unpaid" in listed
        shown = text(admin_client.get(self.page(issue)))
        assert "Accept with a note" in shown and "Ask the partner" in shown and "Credit" in shown

    def test_a_get_asks_and_a_post_does(self, admin_client: Any, admin_user: Any, issue: PaymentIssue) -> None:
        address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "accept"])
        assert "Note" in text(admin_client.get(address))
        assert "Write a note" in text(admin_client.post(address, {"text": ""}))
        assert PaymentIssue.objects.get().state == "OPEN"
        assert admin_client.post(address, {"text": "Goodwill."}).status_code == 302
        issue.refresh_from_db()
        assert (issue.state, issue.note, issue.resolved_by) == ("ACCEPTED", "Goodwill.", admin_user)
        listed = reverse("admin:payments_paymentissue_changelist")
        assert "9.80 EUR are unpaid" not in text(admin_client.get(listed))
        assert "9.80 EUR are unpaid" in text(admin_client.get(f"{listed}?state=ACCEPTED"))
        assert "Nothing more" in text(admin_client.get(self.page(issue)))

    def test_looking_again_tells_what_came_of_it(self, admin_client: Any, issue: PaymentIssue) -> None:
        address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "again"])
        assert "still so" in text(admin_client.post(address, follow=True))

    def test_a_remedy_that_fails_says_why(self, admin_client: Any, issue: PaymentIssue) -> None:
        address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "ask"])
        assert "not registered" in text(admin_client.post(address, follow=True))
        assert admin_client.get(reverse("admin:payments_paymentissue_do", args=[issue.pk, "repair"])).status_code == 404

    def test_staff_of_others_see_and_do_nothing(self, client: Any, issue: PaymentIssue) -> None:
        staff(client, factories.make_operator("Beta"))
        assert "unpaid" not in text(client.get(reverse("admin:payments_paymentissue_changelist")))
        address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "accept"])
        assert client.post(address, {"text": "x"}).status_code == 404
        assert PaymentIssue.objects.get().state == "OPEN"

    def test_who_may_only_look_may_do_nothing(self, client: Any, issue: PaymentIssue, operator: Any) -> None:
        staff(client, operator)
        get_user_model().objects.get(username="ann").user_permissions.remove(
            Permission.objects.get(codename="change_paymentissue")
        )
        address = reverse("admin:payments_paymentissue_do", args=[issue.pk, "accept"])
        assert client.post(address, {"text": "x"}).status_code == 404

    def test_the_life_of_the_payment_stands_on_session_and_invoice(
        self, admin_client: Any, issue: PaymentIssue
    ) -> None:
        session = issue.session
        assert session is not None
        pages = (
            reverse("admin:chargers_chargingsession_change", args=[session.pk]),
            reverse("admin:payments_invoice_change", args=[session.cdrs.get().invoice.pk]),
        )
        for page in pages:
            shown = text(admin_client.get(page))
            assert "Life of the payment" in shown
            assert "Not captured" in shown and "by the driver" in shown


class TestTheBooks:
    def test_the_page_shows_sums_vat_payout_and_a_chart(
        self, admin_client: Any, issue: PaymentIssue, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(24):
            shown = text(admin_client.get(reverse("admin:payments_reconciliation")))
        for words in ("-9.80", "VAT per rate", "What partners owe us", "<svg", "Per terminal", "Open items"):
            assert words in shown

    def test_bad_periods_are_explained(self, admin_client: Any) -> None:
        page = reverse("admin:payments_reconciliation")
        assert "not before the first one" in text(admin_client.get(f"{page}?start=2024-02-02&end=2024-02-01"))
        files = reverse("admin:payments_reconciliation_csv")
        assert admin_client.get(f"{files}?start=x&end=2024-02-01").status_code == 400

    def test_the_csv_has_every_cdr_and_no_formula(self, admin_client: Any, platform: Any, evse: Any) -> None:
        session = factories.make_session(platform, evse, "=HYPERLINK(1)")
        open_invoice(factories.make_cdr(session).pk)
        answer = admin_client.get(reverse("admin:payments_reconciliation_csv"))
        head, row = b"".join(answer.streaming_content).decode().splitlines()
        assert head.split(",") == list(exports.HEAD)
        assert "'=HYPERLINK(1)" in row and "9.7992,9.80" in row
        assert "attachment" in answer["Content-Disposition"]

    def test_the_workbook_has_the_same_numbers_and_texts_only(
        self, admin_client: Any, platform: Any, evse: Any
    ) -> None:
        open_invoice(factories.make_cdr(factories.make_session(platform, evse, "=1+1")).pk)
        answer = admin_client.get(reverse("admin:payments_reconciliation_xlsx"))
        book = load_workbook(BytesIO(answer.content))
        assert book.sheetnames == ["Summary", "Terminals", "VAT", "Payout", "Other captures", "CDRs"]
        row = dict(zip(exports.HEAD, list(book["CDRs"].rows)[1], strict=True))
        assert (row["Authorization reference"].value, row["Authorization reference"].data_type) == ("=1+1", "s")
        assert float(row["Billed"].value) == 9.8

    def test_staff_see_their_operators_only(self, client: Any, issue: PaymentIssue) -> None:
        staff(client, factories.make_operator("Beta"))
        assert "No CDR was written" in text(client.get(reverse("admin:payments_reconciliation")))

    def test_nobody_without_the_right(self, client: Any, db: None) -> None:
        client.force_login(get_user_model().objects.create_user("bob", is_staff=True))
        for name in ("reconciliation", "reconciliation_csv", "reconciliation_xlsx", "coverage"):
            assert client.get(reverse(f"admin:payments_{name}")).status_code == 403


class TestTheCoverage:
    def test_served_and_not_served_at_a_glance(
        self, admin_client: Any, issue: PaymentIssue, area: Any, django_assert_max_num_queries: Any
    ) -> None:
        bare = factories.make_evse(area, 2)
        with django_assert_max_num_queries(14):
            shown = text(admin_client.get(reverse("admin:payments_coverage")))
        assert "by itself" in shown and bare.evse_id in shown
        without = text(admin_client.get(reverse("admin:payments_coverage") + "?only=none"))
        assert bare.evse_id in without and "by itself" not in without
        assert "Nothing found" in text(admin_client.get(reverse("admin:payments_coverage") + "?q=nowhere"))

    def test_only_what_the_user_may_see(self, client: Any, evse: Any) -> None:
        staff(client, factories.make_operator("Beta"))
        assert evse.evse_id not in text(client.get(reverse("admin:payments_coverage")))
