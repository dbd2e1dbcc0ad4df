"""Each exception is one row with its reason, however often it is seen, and closes by itself or by a person."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from chargers.choices import CallAction, CallResult, CallState, SessionStatus, Settlement, StopReason
from chargers.models import ChargerConnection, ChargingSession, LateStop, OutgoingCall
from chargers.services import commands, corrections, progress, sessions
from chargers.services.cdrs import credit_cdr
from chargers.services.events import MeterValuesReceived, Reading, TransactionEnded, TransactionStarted
from infrastructure import outbox
from infrastructure.models import Location, OutboxEvent
from infrastructure.services import masterdata
from payments.choices import IssueKind, IssueState, PaymentState
from payments.models import FinancialAdviceConfirmation, Invoice, PaymentIssue
from payments.services import drift, issue_sweep, remedies, worklist
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import open_invoice
from payments.services.payment_states import MOVES, facts_of, payment_state, state_of
from payments.services.terminal_push import note_assignment
from payments.services.terminals import assign_terminal, receive_terminal
from payments.timeline import TITLES, steps_of
from roaming.models import Document, Push
from roaming.ocpi.client import Reply
from roaming.services.registry import Request
from tests.chargers.factories import make_version
from tests.payments import factories

K = IssueKind


def served(platform: Any, evse: Any) -> None:
    factories.make_terminal(platform, "T1", operator=evse.charger.location.operator).evses.add(evse)


@pytest.fixture
def place(platform: Any, evse: Any) -> Any:
    served(platform, evse)
    return evse


@pytest.fixture
def session(platform: Any, place: Any) -> ChargingSession:
    return factories.make_session(platform, place)


@pytest.fixture
def billed(session: ChargingSession) -> ChargingSession:
    open_invoice(factories.make_cdr(session).pk)
    return session


def told(platform: Any, **fields: Any) -> FinancialAdviceConfirmation:
    """An advice with all that follows it."""
    row, _ = receive_advice(platform, factories.advice_body(**fields))
    match_advice(row.pk)
    worklist.look_at_advice(row.pk)
    return FinancialAdviceConfirmation.objects.get(pk=row.pk)


def opened() -> set[str]:
    return set(PaymentIssue.objects.filter(state=IssueState.OPEN).values_list("kind", flat=True))


def the(kind: IssueKind) -> PaymentIssue:
    return PaymentIssue.objects.get(kind=kind)


def document(session: ChargingSession, platform: Any, module: str, source_id: int, **fields: Any) -> Document:
    values = {"country_code": "AT", "party_id": "PLG", "body": {"id": str(source_id)}, "last_updated": timezone.now()}
    return Document.objects.create(
        platform=platform, module=module, object_id=f"{module}-{source_id}", source_id=source_id, **(values | fields)
    )


class TestOfPayments:
    def test_a_payment_as_it_should_be_raises_nothing(self, platform: Any, billed: Any) -> None:
        told(platform)
        worklist.look_at_session(billed.pk)
        issue_sweep.sweep()
        assert not PaymentIssue.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "kind", "words"),
        [
            ({"capture_status_code": "FAILED"}, K.CAPTURE_FAILED, "9.80 EUR are unpaid"),
            (
                {"capture_status_code": "PARTIAL_SUCCESS", "total_costs": {"excl_vat": 4, "incl_vat": 5}},
                K.CAPTURE_PARTIAL,
                "Only 5.00 EUR of 9.80 EUR",
            ),
            ({"total_costs": {"excl_vat": 8, "incl_vat": 9.6}}, K.AMOUNT_DIFFERS, "9.60 EUR were captured instead of"),
            ({"currency": "CHF"}, K.CURRENCY_DIFFERS, "9.80 CHF instead of 9.80 EUR"),
        ],
    )
    def test_a_capture_that_is_not_the_bill(
        self, platform: Any, billed: Any, fields: Any, kind: IssueKind, words: str
    ) -> None:
        told(platform, **fields)
        told(platform, **fields)
        issue = the(kind)
        assert words in issue.reason
        assert (issue.session, issue.operator.name, issue.authorization_reference) == (
            billed,
            "Acme Charging",
            factories.REFERENCE,
        )
        assert opened() == {kind}

    def test_a_successful_retry_closes_the_failure(self, platform: Any, billed: Any) -> None:
        told(platform, capture_status_code="FAILED")
        told(platform, advice_id="A2", last_updated="2024-03-02T10:00:00Z")
        assert (the(K.CAPTURE_FAILED).state, the(K.CAPTURE_FAILED).note) == ("RESOLVED", worklist.BY_ITSELF)
        told(platform, advice_id="A3", capture_status_code="FAILED", last_updated="2024-03-03T10:00:00Z")
        assert the(K.CAPTURE_FAILED).state == "OPEN"

    def test_two_captures_of_one_payment(self, platform: Any, billed: Any) -> None:
        told(platform)
        told(platform, advice_id="A2", last_updated="2024-03-02T10:00:00Z")
        assert opened() == {K.SEVERAL_CAPTURES}
        assert "9.80 EUR (A1), 9.80 EUR (A2)" in the(K.SEVERAL_CAPTURES).reason

    def test_a_corrected_bill_is_captured_once_more(self, platform: Any, billed: Any) -> None:
        told(platform)
        cdr = billed.cdrs.get()
        open_invoice(credit_cdr(cdr, "Wrong.").pk)
        open_invoice(factories.make_cdr(billed, "4.50").pk)
        told(
            platform,
            advice_id="A2",
            total_costs={"excl_vat": 4.5, "incl_vat": 4.5},
            last_updated="2024-03-02T10:00:00Z",
        )
        assert K.SEVERAL_CAPTURES not in opened()
        told(
            platform,
            advice_id="A3",
            total_costs={"excl_vat": 4.5, "incl_vat": 4.5},
            last_updated="2024-03-03T10:00:00Z",
        )
        assert K.SEVERAL_CAPTURES in opened()

    def test_an_advice_that_does_not_come(self, billed: Any, settings: Any) -> None:
        issue_sweep.sweep()
        assert not opened()
        Invoice.objects.update(issued_at=timezone.now() - settings.ADVICE_TIMEOUT - timedelta(seconds=1))
        issue_sweep.sweep()
        assert opened() == {K.ADVICE_MISSING}
        told(Invoice.objects.get().platform)
        assert not opened()

    def test_none_is_missed_where_the_partner_invoices(self, platform: Any, place: Any, settings: Any) -> None:
        place.terminals.update(invoice_creator="PTP")
        session = factories.make_session(platform, place)
        factories.make_cdr(session)
        settings.ADVICE_TIMEOUT = timedelta(0)
        worklist.examine_session(session)
        issue_sweep.sweep()
        assert not opened()

    def test_a_capture_after_a_credit_asks_for_the_money_back(self, platform: Any, billed: Any) -> None:
        told(platform)
        credit_cdr(billed.cdrs.get(), "Wrong.")
        worklist.look_at_session(billed.pk)
        assert "the driver must get the money back" in the(K.AMOUNT_DIFFERS).reason
        assert state_of(facts_of(billed)) == PaymentState.CREDITED

    def test_an_early_advice_is_judged_only_when_the_session_is_over(self, platform: Any, place: Any) -> None:
        session = factories.make_session(
            platform, place, status=SessionStatus.ACTIVE, started_at=timezone.now(), ended_at=None
        )
        told(platform, total_costs={"excl_vat": 1})
        assert not opened()
        assert state_of(facts_of(session)) == PaymentState.CHARGING


class TestOfStarts:
    @pytest.fixture
    def waiting(self, platform: Any, place: Any) -> ChargingSession:
        session = factories.make_session(
            platform,
            place,
            status=SessionStatus.INVALID,
            accepted_at=factories.START,
            started_at=None,
            ended_at=None,
            stop_reason="",
        )
        OutgoingCall.objects.create(
            charger=place.charger,
            session=session,
            action=CallAction.START_TRANSACTION,
            payload={},
            state=CallState.DONE,
            result=CallResult.ACCEPTED,
            expires_at=timezone.now(),
        )
        return session

    def test_never_plugged_in_until_the_partner_knows(self, platform: Any, waiting: Any) -> None:
        told_of = document(waiting, platform, "sessions", waiting.pk)
        worklist.look_at_session(waiting.pk)
        assert opened() == {K.NEVER_PLUGGED_IN}
        assert "money may still be held" in the(K.NEVER_PLUGGED_IN).reason
        Document.objects.filter(pk=told_of.pk).update(acknowledged=told_of.body, acknowledged_at=timezone.now())
        issue_sweep.sweep()
        assert the(K.NEVER_PLUGGED_IN).state == "RESOLVED"
        assert state_of(facts_of(waiting)) == PaymentState.RELEASED

    def test_given_up_by_the_partner(self, platform: Any, waiting: Any) -> None:
        ChargingSession.objects.update(status=SessionStatus.PENDING)
        commands.request_stop(waiting, StopReason.PARTNER, timezone.now())
        waiting.refresh_from_db()
        document(waiting, platform, "sessions", waiting.pk)
        issue_sweep.sweep()
        assert opened() == {K.ABORTED}
        assert "by the partner" in the(K.ABORTED).reason

    def test_captured_although_nothing_was_charged(self, platform: Any, waiting: Any) -> None:
        document(
            waiting,
            platform,
            "sessions",
            waiting.pk,
            acknowledged={"id": str(waiting.pk)},
            acknowledged_at=timezone.now(),
        )
        told(platform)
        assert "nothing was charged" in the(K.AMOUNT_DIFFERS).reason

    def test_a_refused_start_says_so_in_the_timeline(self, platform: Any, waiting: Any) -> None:
        ChargingSession.objects.update(accepted_at=None)
        OutgoingCall.objects.update(result=CallResult.REJECTED)
        waiting.refresh_from_db()
        assert [step.title for step in steps_of(facts_of(waiting))] == ["Start refused", "Given up"]


class TestOfRunningSessions:
    @pytest.fixture
    def running(self, platform: Any, place: Any) -> ChargingSession:
        return factories.make_session(
            platform, place, status=SessionStatus.ACTIVE, started_at=timezone.now(), ended_at=None, stop_reason=""
        )

    def test_longer_than_allowed(self, running: Any) -> None:
        issue_sweep.sweep()
        assert not opened()
        ChargingSession.objects.update(overlong_at=timezone.now())
        issue_sweep.sweep()
        assert opened() == {K.TOO_LONG}
        assert "stop" in remedies.remedies_of(the(K.TOO_LONG))
        ChargingSession.objects.update(status=SessionStatus.COMPLETED)
        issue_sweep.sweep()
        assert not opened()

    def test_a_charger_lost_in_mid_session(self, running: Any, place: Any, settings: Any) -> None:
        gone = timezone.now() - settings.LOST_CHARGER_NOTICE - timedelta(minutes=1)
        ChargerConnection.objects.update_or_create(
            charger=place.charger, defaults={"channel_name": "", "disconnected_at": gone}
        )
        issue_sweep.sweep()
        assert opened() == {K.CHARGER_LOST}
        ChargerConnection.objects.update(channel_name="here")
        issue_sweep.sweep()
        assert not opened()

    def test_settled_with_the_last_reading(self, running: Any) -> None:
        now = timezone.now()
        ChargingSession.objects.update(
            status=SessionStatus.COMPLETED, settlement=Settlement.LOST, ended_at=now, stop_reason=StopReason.CHARGER
        )
        worklist.look_at_session(running.pk)
        assert opened() == {K.CHARGER_LOST}

    @pytest.mark.parametrize(("cost", "kinds"), [("12.5000", {K.LATE_STOP}), ("9.7992", set())])
    def test_a_late_end_is_offered_for_correction_and_billed_by_nobody(
        self, admin_client: Any, billed: Any, cost: str, kinds: set[str]
    ) -> None:
        ChargingSession.objects.update(settlement=Settlement.FREE)
        LateStop.objects.create(
            session=billed,
            ended_at=factories.START + timedelta(hours=2),
            meter_stop=25000,
            kwh=25,
            total_time=2,
            total_parking_time=0,
            total_cost_incl_vat=Decimal(cost),
            cost={},
            charging_periods=[],
        )
        issue_sweep.sweep()
        assert opened() == kinds
        assert billed.cdrs.count() == 1
        if kinds:
            html = admin_client.get(f"/admin/payments/paymentissue/{the(K.LATE_STOP).pk}/change/").content.decode()
            assert "kwh=25.000" in html
            credit_cdr(billed.cdrs.get(), "The true end is another.")
            issue_sweep.sweep()
            assert the(K.LATE_STOP).state == "RESOLVED"


class TestOfSessionsThatWereGivenUp:
    @pytest.fixture
    def charged(self, platform: Any, place: Any) -> ChargingSession:
        """Given up, and then the charger began all the same: 12.3 kWh."""
        ago = timezone.now() - timedelta(hours=1)
        session = factories.make_session(
            platform,
            place,
            status=SessionStatus.INVALID,
            created_at=ago,
            accepted_at=ago,
            last_updated=ago,
            tariff_version=make_version(energy="0.5", vat="20"),
            started_at=None,
            ended_at=None,
            stop_reason="",
        )
        number = place.number
        start = TransactionStarted(number, session.id_tag, Decimal(1000), ago + timedelta(minutes=5))
        assert not sessions.start_session(place.charger_id, start).is_accepted
        read = Reading(ago + timedelta(minutes=20), Decimal(5000))
        progress.update_session(place.charger_id, MeterValuesReceived(number, session.pk, (read,)))
        return session

    def ends(self, session: ChargingSession, register_wh: int = 13_300) -> None:
        ended = TransactionEnded(session.pk, Decimal(register_wh), timezone.now() - timedelta(minutes=10))
        sessions.end_session(session.connector.evse.charger_id, ended)  # type: ignore[union-attr]

    def test_energy_is_told_while_it_flows_and_at_the_end(self, charged: Any) -> None:
        issue_sweep.sweep()
        assert "4.000 kWh so far; the charger is asked to stop" in the(K.UNBILLED_ENERGY).reason
        self.ends(charged)
        issue_sweep.sweep()
        assert "12.300 kWh until" in the(K.UNBILLED_ENERGY).reason
        assert "by its tariff 7.38 EUR. Nothing was billed." in the(K.UNBILLED_ENERGY).reason
        assert not charged.cdrs.exists()

    def test_a_person_bills_it(self, admin_client: Any, charged: Any) -> None:
        self.ends(charged)
        issue_sweep.sweep()
        issue = the(K.UNBILLED_ENERGY)
        assert "Bill it" in admin_client.get(f"/admin/payments/paymentissue/{issue.pk}/change/").content.decode()
        with pytest.raises(ValidationError, match="Write why"):
            remedies.apply(issue, "bill", "")
        remedies.apply(issue, "bill", "The driver was told so.")
        charged.refresh_from_db()
        cdr = charged.cdrs.get()
        assert (charged.status, cdr.total_energy, cdr.total_cost_incl_vat) == (
            "COMPLETED",
            Decimal("12.3"),
            Decimal("7.38"),
        )
        assert ("cdr", cdr.pk) in set(OutboxEvent.objects.values_list("topic", "object_id"))
        assert the(K.UNBILLED_ENERGY).state == "RESOLVED"
        with pytest.raises(ValidationError):
            corrections.bill_given_up(charged.pk, "Twice.")

    def test_where_the_driver_pays_another_price_both_are_told_and_billed(self, charged: Any) -> None:
        ChargingSession.objects.update(retail={"factor": "1.5", "surcharge": "0.35", "surcharge_vat": "20"})
        self.ends(charged)
        issue_sweep.sweep()
        issue = the(K.UNBILLED_ENERGY)
        assert "by its tariff 7.38 EUR, for the driver 11.42 EUR. Nothing was billed." in issue.reason
        remedies.apply(issue, "bill", "The driver was told so.")
        cdr = charged.cdrs.get()
        assert (cdr.total_cost_incl_vat, cdr.retail_total_incl_vat) == (Decimal("7.38"), Decimal("11.42"))

    def test_never_more_than_was_preauthorised(self, charged: Any) -> None:
        ChargingSession.objects.update(limit=5)
        self.ends(charged)
        assert corrections.bill_given_up(charged.pk, "As agreed.").total_cost_incl_vat <= 5

    def test_what_a_charger_needs_to_come_to_rest_is_no_news(self, charged: Any) -> None:
        charged.samples.all().delete()
        self.ends(charged, 1090)
        issue_sweep.sweep()
        assert K.UNBILLED_ENERGY not in opened()

    def test_a_partner_without_terminals_is_judged_as_well(self, platform: Any, charged: Any) -> None:
        type(platform).objects.update(type="EMSP")
        issue_sweep.sweep()
        assert opened() == {K.UNBILLED_ENERGY}
        corrections.bill_given_up(charged.pk, "As agreed.")
        issue_sweep.sweep()
        assert not opened()


class TestOfCdrs:
    def test_one_that_the_partner_refuses_can_be_sent_again(self, platform: Any, billed: Any) -> None:
        cdr = billed.cdrs.get()
        told_of = document(billed, platform, "cdrs", cdr.pk)
        push = Push.objects.create(
            platform=platform,
            module="cdrs",
            object_id=told_of.path,
            attempts=1,
            needs_operator=True,
            last_error="2001: no",
            not_before=timezone.now() + timedelta(hours=1),
        )
        issue_sweep.sweep()
        assert "2001: no" in the(K.CDR_NOT_TAKEN).reason
        remedies.apply(the(K.CDR_NOT_TAKEN), "retry", "")
        push.refresh_from_db()
        assert push.not_before <= timezone.now()
        Document.objects.update(acknowledged_at=timezone.now())
        issue_sweep.sweep()
        assert the(K.CDR_NOT_TAKEN).state == "RESOLVED"
        assert state_of(facts_of(billed)) == PaymentState.REPORTED


class TestOfAdvices:
    def test_an_unknown_reference_until_a_person_assigns_it(self, platform: Any, billed: Any) -> None:
        told(platform, reference="typo")
        assert opened() == {K.UNKNOWN_REFERENCE}
        assert payment_state(platform, "typo") == PaymentState.UNKNOWN
        assert list(remedies.candidates(the(K.UNKNOWN_REFERENCE))) == [billed]
        with pytest.raises(ValidationError, match="has no session"):
            remedies.assign(the(K.UNKNOWN_REFERENCE), "nonsense")
        remedies.assign(the(K.UNKNOWN_REFERENCE), factories.REFERENCE.upper())
        advice = FinancialAdviceConfirmation.objects.get()
        match_advice(advice.pk)
        worklist.look_at_advice(advice.pk)
        assert not opened()
        assert Invoice.objects.get().capture_status_code == "SUCCESS"

    def test_one_that_came_just_now_is_not_yet_unknown(self, platform: Any, billed: Any) -> None:
        """The sweep is faster than the event that matches it; what that missed, the sweep finds later."""
        advice, _ = receive_advice(platform, factories.advice_body(reference="typo"))
        issue_sweep.sweep()
        assert not opened()
        FinancialAdviceConfirmation.objects.filter(pk=advice.pk).update(created_at=timezone.now() - timedelta(hours=1))
        issue_sweep.sweep()
        assert opened() == {K.UNKNOWN_REFERENCE}

    def test_another_partners_session_is_never_touched(self, platform: Any, operator: Any, billed: Any) -> None:
        other = factories.make_platform(operator, party=("AT", "XYZ"))
        advice = told(other)
        assert opened() == {K.FOREIGN_SESSION}
        assert (advice.session, Invoice.objects.get().capture_status_code) == (None, "")
        with pytest.raises(ValidationError):
            remedies.assign(the(K.FOREIGN_SESSION), factories.REFERENCE)

    def test_the_same_id_with_another_amount_is_flagged_and_both_are_kept(self, platform: Any, billed: Any) -> None:
        told(platform)
        told(platform, total_costs={"excl_vat": 1, "incl_vat": 2}, last_updated="2024-03-02T10:00:00Z")
        told(platform, total_costs={"excl_vat": 1, "incl_vat": 2}, last_updated="2024-03-02T10:00:00Z")
        issue = the(K.DUPLICATE_ID)
        (entry,) = issue.evidence
        assert (entry["applied"], entry["before"]["total_costs"]["incl_vat"]) == (True, 9.8)
        issue_sweep.sweep()
        assert {K.DUPLICATE_ID, K.AMOUNT_DIFFERS} == opened()

    def test_two_contents_of_one_instant_leave_the_first(self, platform: Any, billed: Any) -> None:
        told(platform)
        advice = told(platform, total_costs={"excl_vat": 1, "incl_vat": 2})
        assert advice.total_gross == Decimal("9.8")
        assert the(K.DUPLICATE_ID).evidence[0]["applied"] is False

    def test_a_capture_that_succeeds_after_all_is_no_duplicate(self, platform: Any, billed: Any) -> None:
        told(platform, capture_status_code="FAILED")
        told(platform, last_updated="2024-03-02T10:00:00Z")
        assert not opened()


class TestOfTerminals:
    def test_payments_where_no_terminal_stands(self, platform: Any, evse: Any) -> None:
        factories.make_cdr(factories.make_session(platform, evse))
        worklist.look_at_session(ChargingSession.objects.get().pk)
        assert opened() == {K.UNKNOWN_TERMINAL}
        served(platform, evse)
        issue_sweep.sweep()
        assert not opened()

    def test_nobodys_terminal(self, platform: Any, operator: Any) -> None:
        platform.profiles.get().operators.add(factories.make_operator("Beta"))
        terminal, _ = receive_terminal(platform, {"terminal_id": "T1"})
        worklist.look_at_terminal(terminal.pk)
        assert opened() == {K.TERMINAL_UNASSIGNED}

    def test_a_terminal_of_several_operators_is_nobodys_but_in_use(
        self, platform: Any, operator: Any, area: Any
    ) -> None:
        other = factories.make_operator("Beta")
        platform.profiles.get().operators.add(other)
        terminal, _ = receive_terminal(platform, {"terminal_id": "T1"})
        assign_terminal(terminal, [area, factories.make_area(other, "ELSEWHERE")], [])
        worklist.look_at_terminal(terminal.pk)
        terminal.refresh_from_db()
        assert terminal.operator is None
        assert not opened()

    def test_places_that_we_do_not_have(self, platform: Any) -> None:
        terminal, _ = receive_terminal(platform, {"terminal_id": "T1", "location_ids": ["GONE"]})
        worklist.look_at_terminal(terminal.pk)
        assert "GONE" in the(K.TERMINAL_UNKNOWN_PLACES).reason

    def decided(self, platform: Any, area: Any) -> Any:
        """A terminal whose assignment the PTP has taken."""
        terminal = factories.make_terminal(platform, "T1", operator=area.operator)
        assign_terminal(terminal, [area], [])
        body = {"location_ids": [area.roaming_id], "evse_uids": []}
        key = {"platform": platform, "module": "terminals", "object_id": str(terminal.pk)}
        push = Push.objects.create(**key, state="DONE", queued_at=timezone.now())
        note_assignment(push, Request("PATCH", "", body, state=body), Reply(200, 1000, "", None, {}, 0.1))
        terminal.refresh_from_db()
        return terminal

    def test_drift_is_seen_in_a_pull_and_repaired_with_one_click(self, platform: Any, area: Any) -> None:
        terminal = self.decided(platform, area)
        assert drift.drift_of(terminal) == []
        listed = {"terminal_id": "T1", "location_ids": [], "evse_uids": []}
        receive_terminal(platform, listed)
        worklist.look_at_terminal(terminal.pk)
        assert "areas there: none; here: VIE-HQ" in the(K.TERMINAL_DRIFT).reason
        remedies.apply(the(K.TERMINAL_DRIFT), "repair", "")
        assert OutboxEvent.objects.filter(topic="terminal", object_id=terminal.pk).exists()
        receive_terminal(platform, listed | {"location_ids": ["vie-hq"]})
        worklist.look_at_terminal(terminal.pk)
        assert the(K.TERMINAL_DRIFT).state == "RESOLVED"

    def test_a_repair_does_not_wait_for_the_time_after_a_refusal(self, platform: Any, area: Any) -> None:
        terminal = self.decided(platform, area)
        receive_terminal(platform, {"terminal_id": "T1", "location_ids": [], "evse_uids": []})
        later = timezone.now() + timedelta(hours=1)
        key = {"platform": platform, "module": "terminals", "object_id": str(terminal.pk)}
        Push.objects.update_or_create(**key, defaults={"attempts": 1, "needs_operator": True, "not_before": later})
        worklist.look_at_terminal(terminal.pk)
        remedies.apply(the(K.TERMINAL_DRIFT), "repair", "")
        outbox.drain()
        assert Push.objects.get(**key, state="PENDING").not_before <= timezone.now()

    def test_a_complete_pull_marks_what_is_no_longer_listed(self, platform: Any, area: Any) -> None:
        kept, gone = self.decided(platform, area), factories.make_terminal(platform, "T2", operator=area.operator)
        began = timezone.now()
        receive_terminal(platform, {"terminal_id": "T1"})
        drift.mark_missing(platform, began)
        worklist.look_at_terminal(gone.pk)
        assert the(K.TERMINAL_GONE).terminal == gone
        kept.refresh_from_db()
        assert kept.missing_since is None
        receive_terminal(platform, {"terminal_id": "t2"})
        worklist.look_at_terminal(gone.pk)
        assert not opened()

    def test_deleting_an_area_tells_the_terminals_that_served_it(self, platform: Any, area: Any) -> None:
        terminal = self.decided(platform, area)
        OutboxEvent.objects.all().delete()
        masterdata.delete(Location.objects.get(pk=area.pk))
        assert OutboxEvent.objects.filter(topic="terminal", object_id=terminal.pk).count() == 1


class TestDecisions:
    @pytest.fixture
    def issue(self, platform: Any, billed: Any) -> PaymentIssue:
        told(platform, capture_status_code="FAILED")
        return the(K.CAPTURE_FAILED)

    def test_a_person_accepts_with_a_note(self, issue: PaymentIssue) -> None:
        ann = get_user_model().objects.create_user("ann")
        with pytest.raises(ValidationError, match="note"):
            worklist.accept(issue, ann, "  ")
        worklist.accept(issue, ann, "Goodwill.")
        issue_sweep.sweep()
        worklist.look_at_session(issue.session_id)
        issue.refresh_from_db()
        assert (issue.state, issue.resolved_by, issue.note) == ("ACCEPTED", ann, "Goodwill.")
        assert issue.resolved_at is not None
        with pytest.raises(ValidationError, match="meanwhile"):
            worklist.accept(issue, ann, "Again.")

    def test_other_facts_open_it_again(self, platform: Any, issue: PaymentIssue) -> None:
        worklist.accept(issue, None, "Goodwill.")
        told(
            platform,
            advice_id="A2",
            capture_status_code="FAILED",
            capture_status_message="Stolen",
            last_updated="2024-03-05T10:00:00Z",
        )
        issue.refresh_from_db()
        assert (issue.state, issue.note) == ("OPEN", "")

    def test_a_credit_needs_a_reason_and_closes_the_failure(self, issue: PaymentIssue) -> None:
        with pytest.raises(ValidationError, match="Say why"):
            remedies.apply(issue, "credit", "")
        remedies.apply(issue, "credit", "Could not be charged.")
        issue.refresh_from_db()
        assert issue.state == "RESOLVED"
        assert issue.session.cdrs.filter(is_credit=True).count() == 1

    def test_what_does_not_fit_is_refused(self, issue: PaymentIssue) -> None:
        with pytest.raises(ValidationError, match="no longer possible"):
            remedies.apply(issue, "stop", "")


def test_every_state_has_words_and_moves() -> None:
    assert set(TITLES) == set(MOVES) == set(PaymentState)


def test_every_kind_is_known_to_the_admin() -> None:
    assert set(remedies.REMEDIES) <= set(IssueKind)


def test_the_life_of_a_payment_step_by_step(platform: Any, place: Any) -> None:
    session = factories.make_session(
        platform, place, status=SessionStatus.PENDING, started_at=None, ended_at=None, stop_reason=""
    )
    seen = [state_of(facts_of(session))]

    def then(**fields: Any) -> None:
        for name, value in fields.items():
            setattr(session, name, value)
        session.save()
        seen.append(state_of(facts_of(session)))

    then(accepted_at=factories.START)
    then(status=SessionStatus.ACTIVE, started_at=factories.START)
    then(status=SessionStatus.COMPLETED, ended_at=factories.START + timedelta(hours=1), stop_reason=StopReason.LIMIT)
    cdr = factories.make_cdr(session)
    open_invoice(cdr.pk)
    then()
    document(session, platform, "cdrs", cdr.pk, acknowledged_at=timezone.now())
    then()
    told(platform)
    then()
    assert seen == ["REQUESTED", "STARTED", "CHARGING", "NOTHING_TO_PAY", "STOPPED", "REPORTED", "CAPTURED"]
    assert all(after in MOVES[before] for before, after in pairwise(seen))
    assert [step.title for step in steps_of(facts_of(session))] == [
        "Start accepted",
        "Charging",
        "Stopped",
        "Invoiced",
        "CDR sent and confirmed",
        "Capture: Success",
    ]


def test_each_bill_of_a_payment_stands_in_its_life(platform: Any, evse: Any) -> None:
    session = factories.make_session(platform, evse)
    cdr = factories.make_cdr(session)
    first = open_invoice(cdr.pk)
    note = open_invoice(credit_cdr(cdr, "The meter was wrong.").pk)
    second = open_invoice(factories.make_cdr(session).pk)
    assert first and note and second
    steps = [step for step in steps_of(facts_of(session)) if step.at]
    told = [
        (step.title, step.text.partition(",")[0]) for step in steps if "nvoice" in step.title or "note" in step.title
    ]
    assert told == [("Invoiced", first.number), ("Credit note", note.number), ("Invoiced", second.number)]
    assert facts_of(session).invoice == second


def test_the_state_of_a_payment_is_told_in_the_language_of_the_reader() -> None:
    told = []
    for language in ("en", "de"):
        with translation.override(language):
            told.append({str(title) for title in TITLES.values()})
    assert not told[0] & told[1]
