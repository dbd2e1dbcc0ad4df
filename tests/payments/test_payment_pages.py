"""The work list, the books and the coverage page as staff use them."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils.html import escape
from openpyxl import load_workbook

from chargers.models import CDR, ChargingSession
from infrastructure.models import Act, OperatorMembership
from payments import books_page
from payments.choices import IssueKind
from payments.models import FinancialAdviceConfirmation, PaymentIssue
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

    def test_a_closed_issue_says_who_pressed_what(self, admin_client: Any, issue: PaymentIssue) -> None:
        page = reverse("admin:payments_paymentissue_change", args=[issue.pk])
        admin_client.post(reverse("admin:payments_paymentissue_do", args=[issue.pk, "credit"]), {"text": "Mine."})
        assert PaymentIssue.objects.get().state == "RESOLVED"
        assert "admin chose “Credit”, and the cause is gone." in text(admin_client.get(page))
        assert "Resolved by itself" not in text(admin_client.get(page))
        assert Act.objects.get().what == "Credit"

    def test_a_button_on_the_session_closes_it_in_the_name_of_who_pressed_it(
        self, admin_client: Any, issue: PaymentIssue
    ) -> None:
        session = issue.session
        assert session is not None
        answer = admin_client.post(reverse("admin:chargers_chargingsession_credit", args=[session.pk]), {"reason": "x"})
        assert answer.status_code == 302
        worklist.examine_session(session)
        row = PaymentIssue.objects.get()
        assert (row.state, str(row.resolved_by), row.note) == ("RESOLVED", "admin", "Credit")

    def test_a_button_pressed_before_it_was_opened_has_not_closed_it(
        self, admin_client: Any, issue: PaymentIssue
    ) -> None:
        session = issue.session
        assert session is not None
        admin_client.post(reverse("admin:chargers_chargingsession_credit", args=[session.pk]), {"reason": "x"})
        Act.objects.update(at=issue.opened_at - timedelta(minutes=1))
        worklist.examine_session(session)
        assert PaymentIssue.objects.get().resolved_by is None

    def test_the_life_of_the_payment_stands_on_session_and_invoice(
        self, admin_client: Any, issue: PaymentIssue
    ) -> None:
        session = issue.session
        assert session is not None
        invoice = session.cdrs.get().invoice
        shown = text(admin_client.get(reverse("admin:payments_invoice_change", args=[invoice.pk])))
        assert "Life of the payment" in shown and "Not captured" in shown and "by the driver" in shown
        shown = text(admin_client.get(reverse("admin:chargers_chargingsession_change", args=[session.pk])))
        assert "Life of the payment" not in shown and "Not captured" in shown
        for row in (invoice, issue):
            name = f"admin:payments_{row._meta.model_name}_change"
            assert f'href="{reverse(name, args=[row.pk])}"' in shown

    def test_moments_in_a_reason_are_on_the_clock_of_the_area(self, admin_client: Any, issue: PaymentIssue) -> None:
        ChargingSession.objects.update(time_zone="Asia/Tokyo")
        PaymentIssue.objects.update(reason="The start was accepted at 2026-01-02 20:00 UTC, but no car was plugged in.")
        shown = text(admin_client.get(reverse("admin:payments_paymentissue_change", args=[issue.pk])))
        assert 'title="2026-01-02 20:00 UTC">2026-01-03 05:00 JST</time>, but' in shown


class TestTheBooks:
    def test_the_page_shows_sums_vat_and_payout(
        self, admin_client: Any, issue: PaymentIssue, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(20):
            shown = text(admin_client.get(reverse("admin:payments_reconciliation")))
        for words in ("-9.80", "VAT per rate", "What partners owe us", "Per terminal", "Open items"):
            assert words in shown

    def test_its_chart_is_a_page_that_it_links_to_and_fetches(
        self, admin_client: Any, issue: PaymentIssue, django_assert_max_num_queries: Any
    ) -> None:
        """Of the same choice, and in an element of the name that is asked for."""
        CDR.objects.update(created_at=datetime(2024, 2, 10, tzinfo=UTC))
        ChargingSession.objects.update(network="AWAY")
        query = "?start=2024-03-01&end=2024-03-31&network=AWAY"
        shown = text(admin_client.get(reverse("admin:payments_reconciliation") + query))
        address = reverse("admin:payments_reconciliation_months") + query
        assert shown.count(f'hx-get="{escape(address)}"') == shown.count(f'href="{escape(address)}"') == 1
        assert 'hx-select="#months"' in shown and "<svg viewBox" not in shown
        with django_assert_max_num_queries(12):
            chart = text(admin_client.get(address))
        _, _, part = chart.partition('id="months"')
        assert "Feb 2024: 9.80 EUR billed" in part and "Mar" in part and "Apr" in part
        assert "No CDR was written" in text(admin_client.get(address.replace("AWAY", "HOME")))

    def test_of_very_many_terminals_the_unsettled_ones_are_shown(
        self, admin_client: Any, issue: PaymentIssue, platform: Any, evse: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(books_page, "LISTED", 1)
        captured = factories.make_session(platform, evse, "r2")
        open_invoice(factories.make_cdr(captured, "5.00").pk)
        ChargingSession.objects.filter(pk=captured.pk).update(terminal_id="A-first-by-name")
        costs = {"excl_vat": 5.0, "incl_vat": 5.0}
        match_advice(receive_advice(platform, factories.advice_body("A2", "r2", total_costs=costs))[0].pk)
        _, _, terminals = text(admin_client.get(reverse("admin:payments_reconciliation"))).partition("Per terminal")
        assert "Here are 1 of 2" in terminals
        assert "<td>T1</td>" in terminals and "<td>A-first-by-name</td>" not in terminals
        monkeypatch.setattr(books_page, "LISTED", 2)
        assert "Here are" not in text(admin_client.get(reverse("admin:payments_reconciliation")))

    def test_a_terminal_is_chosen_by_its_name_as_it_is(self, admin_client: Any, platform: Any) -> None:
        chosen = factories.make_terminal(platform, "<T&1>")
        other = factories.make_terminal(platform, "T2")
        page = reverse("admin:payments_reconciliation")
        shown = text(admin_client.get(f"{page}?start=2024-02-01&end=2024-02-02&terminal={chosen.pk}"))
        assert f'<option value="{chosen.pk}" selected>&lt;T&amp;1&gt;</option>' in shown
        assert f'<option value="{other.pk}">T2</option>' in shown and '<option value="unknown">' in shown

    def test_it_says_what_is_left_to_do_and_leads_to_the_month_to_be_closed(
        self, admin_client: Any, issue: PaymentIssue, monkeypatch: Any
    ) -> None:
        page = reverse("admin:payments_reconciliation")
        march = {"start": date(2024, 3, 1), "end": date(2024, 3, 31)}
        monkeypatch.setattr(books_page, "this_month", lambda zone: march)
        assert 'href="?start=2024-02-01&amp;end=2024-02-29"' in text(admin_client.get(page))
        CDR.objects.update(created_at=datetime(2024, 2, 29, tzinfo=UTC))
        month = page + "?start=2024-02-01&end=2024-02-29"
        assert "settle the open items" in text(admin_client.get(month))
        FinancialAdviceConfirmation.objects.update(capture_status_code="SUCCESS", total_gross="9.80")
        assert "Nothing is open" in text(admin_client.get(month))

    def test_bad_periods_are_explained(self, admin_client: Any) -> None:
        page = reverse("admin:payments_reconciliation")
        assert "not before the first one" in text(admin_client.get(f"{page}?start=2024-02-02&end=2024-02-01"))
        files = reverse("admin:payments_reconciliation_csv")
        assert admin_client.get(f"{files}?start=x&end=2024-02-01").status_code == 400

    def test_the_csv_has_every_cdr_and_no_formula(self, admin_client: Any, platform: Any, evse: Any) -> None:
        session = factories.make_session(platform, evse, "=HYPERLINK(1)")
        open_invoice(factories.make_cdr(session).pk)
        answer = admin_client.get(reverse("admin:payments_reconciliation_csv"))
        head, row = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
        assert head.split(",") == list(exports.HEAD)
        assert "'=HYPERLINK(1)" in row and "9.7992,9.80" in row
        assert "attachment" in answer["Content-Disposition"]

    def test_the_workbook_has_the_same_numbers_and_texts_only(
        self, admin_client: Any, platform: Any, evse: Any
    ) -> None:
        open_invoice(factories.make_cdr(factories.make_session(platform, evse, "=1+1")).pk)
        answer = admin_client.get(reverse("admin:payments_reconciliation_xlsx"))
        book = load_workbook(BytesIO(answer.content))
        sheets = ["Summary", "Terminals", "VAT", "Payout", "Other captures", "Open items", "Months", "CDRs"]
        assert book.sheetnames == sheets
        assert [row[3:] for row in book["Open items"].iter_rows(min_row=2, values_only=True)] == [(9.8, 0)]
        assert [row[2:] for row in book["Months"].iter_rows(min_row=2, values_only=True)] == [(9.8, 0)]
        row = dict(zip(exports.HEAD, list(book["CDRs"].rows)[1], strict=True))
        assert (row["Authorization reference"].value, row["Authorization reference"].data_type) == ("=1+1", "s")
        assert float(row["Billed"].value) == 9.8

    def test_staff_see_their_operators_only(self, client: Any, issue: PaymentIssue) -> None:
        staff(client, factories.make_operator("Beta"))
        assert "No CDR was written" in text(client.get(reverse("admin:payments_reconciliation")))

    def test_nobody_without_the_right(self, client: Any, db: None) -> None:
        client.force_login(get_user_model().objects.create_user("bob", is_staff=True))
        for name in (
            "reconciliation",
            "reconciliation_months",
            "reconciliation_csv",
            "reconciliation_xlsx",
            "coverage",
        ):
            assert client.get(reverse(f"admin:payments_{name}")).status_code == 403


class TestTheCoverage:
    def test_served_and_not_served_at_a_glance(
        self, admin_client: Any, issue: PaymentIssue, area: Any, django_assert_max_num_queries: Any
    ) -> None:
        bare = factories.make_evse(area, 2)
        with django_assert_max_num_queries(14):
            shown = text(admin_client.get(reverse("admin:payments_coverage")))
        served = str(issue.session.connector.evse.evse_id)  # type: ignore[union-attr]
        assert served in shown and bare.evse_id in shown
        without = text(admin_client.get(reverse("admin:payments_coverage") + "?only=none"))
        assert bare.evse_id in without and served not in without
        assert "Nothing found" in text(admin_client.get(reverse("admin:payments_coverage") + "?q=nowhere"))

    def test_only_what_the_user_may_see(self, client: Any, evse: Any) -> None:
        staff(client, factories.make_operator("Beta"))
        assert evse.evse_id not in text(client.get(reverse("admin:payments_coverage")))

    def test_a_terminal_is_assigned_to_the_area_or_to_the_outlet_alone(
        self, admin_client: Any, platform: Any, area: Any, evse: Any
    ) -> None:
        other = factories.make_evse(area, 2)
        terminal = factories.make_terminal(platform, "T7", operator=area.operator)
        address = reverse("admin:payments_coverage_assign", args=[evse.pk])
        assert "T7" in text(admin_client.get(address))
        assert admin_client.post(address, {"terminal": terminal.pk, "extent": "evse"}).status_code == 302
        assert (list(terminal.locations.all()), list(terminal.evses.all())) == ([], [evse])
        address = reverse("admin:payments_coverage_assign", args=[other.pk])
        assert admin_client.post(address, {"terminal": terminal.pk, "extent": "area"}).status_code == 302
        assert (list(terminal.locations.all()), list(terminal.evses.all())) == ([area], [evse])
        found = text(admin_client.get(reverse("admin:payments_coverage") + "?q=t7"))
        assert evse.evse_id in found and other.evse_id in found

    def test_what_does_not_fit_is_not_offered_and_says_why(self, admin_client: Any, platform: Any, evse: Any) -> None:
        # A name that no random token of the page can contain.
        foreign = factories.make_terminal(platform, "Terminal of Beta", operator=factories.make_operator("Beta"))
        address = reverse("admin:payments_coverage_assign", args=[evse.pk])
        shown = text(admin_client.get(address))
        assert foreign.terminal_id not in shown
        assert "No terminal fits" in shown
        assert "Select a valid choice" in text(admin_client.post(address, {"terminal": foreign.pk, "extent": "evse"}))
        assert not foreign.evses.exists()
        # The partner would not know where that is.
        type(evse.charger).objects.update(roaming_id="")
        type(evse).objects.update(uid="")
        terminal = factories.make_terminal(platform, "T9")
        assert "No terminal fits" not in text(admin_client.get(address))
        answer = text(admin_client.post(address, {"terminal": terminal.pk, "extent": "evse"}))
        assert "has no roaming id" in answer

    def test_only_who_may_change_terminals_assigns_them(self, client: Any, area: Any, evse: Any) -> None:
        staff(client, area.operator)
        address = reverse("admin:payments_coverage_assign", args=[evse.pk])
        assert client.get(address).status_code == 200
        get_user_model().objects.get().user_permissions.set(Permission.objects.filter(codename="view_terminal"))
        assert client.get(address).status_code == 403
        assert "Assign a terminal" not in text(client.get(reverse("admin:payments_coverage")))
        other = staff_of_another(client)
        assert other.get(address).status_code == 404

    @pytest.mark.parametrize(("served", "colour"), [(0, "#dc2626"), (1, "#d97706"), (2, "#16a34a")])
    def test_the_map_has_the_colour_of_the_coverage(
        self, admin_client: Any, platform: Any, area: Any, served: int, colour: str
    ) -> None:
        outlets = [factories.make_evse(area, number) for number in (1, 2)]
        factories.make_terminal(platform, "T1").evses.set(outlets[:served])
        (place,) = admin_client.get(reverse("admin:payments_coverage")).context["places"]
        assert (place["colour"], place["text"]) == (colour, f"{served} of 2 EVSEs have a terminal")


def staff_of_another(client: Any) -> Any:
    eve = get_user_model().objects.create_user("eve", is_staff=True)
    eve.user_permissions.set(Permission.objects.filter(content_type__app_label="payments"))
    OperatorMembership.objects.create(user=eve, operator=factories.make_operator("Gamma"))
    client.force_login(eve)
    return client


@pytest.fixture
def lost(platform: Any, evse: Any) -> PaymentIssue:
    """A session whose charger went away: it can be stopped by one and, later, credited by another."""
    session = factories.make_session(platform, evse, "ref-lost", status="ACTIVE", ended_at=None, stop_reason="")
    operator = evse.charger.location.operator
    return PaymentIssue.objects.create(
        kind=IssueKind.CHARGER_LOST, subject="session:1", session=session, platform=platform, operator=operator
    )


class TestWhoMayDoWhat:
    """Each remedy asks for the right of what it does, and shows no button to those without it."""

    def sign_in(self, client: Any, operator: Any, role: str) -> None:
        user = get_user_model().objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        OperatorMembership.objects.create(user=user, operator=operator)
        client.force_login(user)

    @pytest.mark.parametrize(
        ("role", "allowed"),
        [
            ("Viewer", set()),
            ("Tariff manager", set()),
            ("Dispatcher", {"stop"}),
            ("Finance", {"again", "accept"}),
            ("Administrator", {"stop", "again", "accept"}),
        ],
    )
    def test_a_running_session(self, client: Any, lost: PaymentIssue, operator: Any, role: str, allowed: Any) -> None:
        self.sign_in(client, operator, role)
        self.check(client, lost, {"stop", "again", "accept"}, allowed)
        if "stop" not in allowed:
            client.post(reverse("admin:payments_paymentissue_do", args=[lost.pk, "stop"]))
            assert lost.session is not None
            assert not lost.session.calls.exists()

    @pytest.mark.parametrize(
        ("role", "allowed"),
        [
            ("Viewer", set()),
            ("Dispatcher", set()),
            ("Finance", {"ask", "credit", "again", "accept"}),
            ("Administrator", {"ask", "credit", "again", "accept"}),
        ],
    )
    def test_money(self, client: Any, issue: PaymentIssue, operator: Any, role: str, allowed: Any) -> None:
        self.sign_in(client, operator, role)
        self.check(client, issue, {"ask", "credit", "again", "accept"}, allowed)
        if "credit" not in allowed:
            client.post(reverse("admin:payments_paymentissue_do", args=[issue.pk, "credit"]), {"text": "Mine."})
            assert issue.session is not None
            assert issue.session.cdrs.count() == 1

    def test_the_right_to_the_list_alone_credits_nothing(self, client: Any, issue: PaymentIssue, operator: Any) -> None:
        staff(client, operator)
        user = get_user_model().objects.get(username="ann")
        user.user_permissions.remove(Permission.objects.get(codename="change_cdr"))
        answer = client.post(reverse("admin:payments_paymentissue_do", args=[issue.pk, "credit"]), {"text": "Mine."})
        assert answer.status_code == 404
        assert issue.session is not None
        assert issue.session.cdrs.count() == 1

    def check(self, client: Any, issue: PaymentIssue, possible: set[str], allowed: set[str]) -> None:
        page = text(client.get(reverse("admin:payments_paymentissue_change", args=[issue.pk])))
        addresses = {name: reverse("admin:payments_paymentissue_do", args=[issue.pk, name]) for name in possible}
        assert {name for name, address in addresses.items() if address in page} == allowed
        opened = {name for name, address in addresses.items() if client.get(address).status_code == 200}
        assert opened == allowed
