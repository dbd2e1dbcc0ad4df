from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from infrastructure.models import OutboxEvent
from payments.models import Terminal
from payments.services.terminal_push import build_assignment, queue_assignment
from payments.services.terminals import assign_terminal, receive_terminal
from roaming.models import Push
from roaming.ocpi.errors import PeerError
from roaming.services.registry import registry
from tests.payments import factories
from tests.roaming.factories import ProfileFactory

OURS = "http://testserver/invoices/terminals-bv/"


def told(platform: Any, **fields: Any) -> Terminal:
    terminal, _ = receive_terminal(platform, {"terminal_id": "T1"} | fields)
    return Terminal.objects.get(pk=terminal.pk)


def told_later(platform: Any, **fields: Any) -> Terminal:
    return told(platform, last_updated=timezone.now().isoformat().replace("+00:00", "Z"), **fields)


def queued() -> int:
    """How often a PATCH was asked for since the last look."""
    waiting = OutboxEvent.objects.filter(topic="terminal", processed_at=None)
    return waiting.update(processed_at=timezone.now())


def the_push(platform: Any) -> Push:
    return Push.objects.get(platform=platform, module="terminals")


def the_patch(terminal: Terminal) -> Any:
    queue_assignment(terminal.pk)
    return build_assignment(the_push(terminal.platform))


def test_the_id_alone_makes_a_terminal(platform: Any) -> None:
    terminal, created = receive_terminal(platform, {"terminal_id": "T1"})
    assert created
    assert terminal.last_updated <= timezone.now()


def test_the_same_terminal_again_is_the_same_row_whatever_its_case(platform: Any) -> None:
    told(platform, terminal_id="term-a", address="Ring 1")
    terminal, created = receive_terminal(platform, {"terminal_id": "TERM-A", "city": "Wien"})
    assert not created
    terminal.refresh_from_db()
    assert (terminal.terminal_id, terminal.address, terminal.city) == ("term-a", "Ring 1", "Wien")


def test_older_news_are_ignored(platform: Any) -> None:
    told(platform, city="Wien", last_updated="2024-01-02T00:00:00Z")
    assert told(platform, city="Graz", last_updated="2024-01-01T00:00:00Z").city == "Wien"
    assert told(platform, city="Linz", last_updated="2024-01-02T00:00:00Z").city == "Linz"


def test_a_clock_that_runs_ahead_does_not_lock_a_terminal(platform: Any) -> None:
    told(platform, city="Wien", last_updated="2099-01-01T00:00:00Z")
    assert told_later(platform, city="Graz").city == "Graz"


@pytest.mark.parametrize(("given", "kept"), [("AUT", "AUT"), ("at", "AUT"), (None, ""), ("ZZ", "ZZ")])
def test_the_country_has_three_letters(platform: Any, given: Any, kept: str) -> None:
    assert told(platform, country=given).country == kept


class TestTenant:
    def test_the_only_operator_gets_the_terminal(self, platform: Any, operator: Any) -> None:
        assert told(platform).operator == operator

    @pytest.fixture
    def other(self, platform: Any) -> Any:
        """A second operator in a profile of its own."""
        other = factories.make_operator("Beta")
        platform.profiles.add(ProfileFactory(country_code="DE", party_id="BET", operators=[other]))
        return other

    def test_among_several_nobody_is_guessed(self, platform: Any, other: Any) -> None:
        assert told(platform).operator is None

    def test_the_party_decides_before_the_reference(self, platform: Any, operator: Any, other: Any) -> None:
        terminal = told(platform, country_code="de", party_id="bet", customer_reference=operator.name)
        assert terminal.operator == other

    def test_an_unknown_party_is_not_overruled_by_the_reference(self, platform: Any, operator: Any, other: Any) -> None:
        terminal = told(platform, country_code="FR", party_id="XXX", customer_reference=operator.name)
        assert terminal.operator is None

    def test_the_reference_is_known_from_another_terminal(self, platform: Any, other: Any) -> None:
        factories.make_terminal(platform, "T0", customer_reference="C-77", operator=other)
        assert told(platform, customer_reference="C-77").operator == other

    def test_another_platforms_reference_counts_for_nothing(self, platform: Any, operator: Any, other: Any) -> None:
        elsewhere = factories.make_platform(operator, party=("AT", "ZZZ"))
        factories.make_terminal(elsewhere, "T0", customer_reference="C-77", operator=other)
        assert told(platform, customer_reference="C-77").operator is None

    def test_the_reference_decides_before_the_addressee(self, platform: Any, operator: Any, other: Any) -> None:
        body = {"terminal_id": "T1", "customer_reference": "beta"}
        assert receive_terminal(platform, body, addressed_to=("AT", "PLG"))[0].operator == other

    def test_the_addressee_decides_before_chance(self, platform: Any, other: Any) -> None:
        assert receive_terminal(platform, {"terminal_id": "T1"}, addressed_to=("DE", "BET"))[0].operator == other

    def test_what_staff_decided_stays(self, platform: Any, operator: Any, other: Any) -> None:
        factories.make_terminal(platform, operator=operator)
        assert told(platform, country_code="DE", party_id="BET").operator == operator


class TestAssignment:
    @pytest.fixture
    def terminal(self, platform: Any, area: Any) -> Terminal:
        terminal = told(platform, invoice_base_url=OURS)
        assign_terminal(terminal, [area], [])
        queued()
        terminal.refresh_from_db()
        return terminal

    def test_assigning_queues_one_push(self, terminal: Terminal, area: Any, evse: Any) -> None:
        assign_terminal(terminal, [area], [evse])
        assert queued() == 1
        queue_assignment(terminal.pk)
        assert the_push(terminal.platform).give_up_at is None

    def test_the_push_has_full_lists_and_nothing_else(self, terminal: Terminal, area: Any, evse: Any) -> None:
        assign_terminal(terminal, [area], [evse])
        factories.list_payments(terminal.platform)
        request = the_patch(terminal)
        assert (request.method, request.url) == ("PATCH", "https://ptp.example/ocpi/2.2.1/payments/terminals/T1")
        assert (request.country_code, request.party_id) == ("AT", "PLG")
        assert request.body.pop("last_updated") > "2025"
        assert request.body == {"location_ids": ["VIE-HQ"], "evse_uids": ["CP-VIE-HQ-1"]}

    def test_unassigning_sends_empty_lists(self, terminal: Terminal) -> None:
        assign_terminal(terminal, [], [])
        factories.list_payments(terminal.platform)
        body = the_patch(terminal).body
        assert (body["location_ids"], body["evse_uids"]) == ([], [])

    def test_no_invoice_address_where_the_ptp_invoices(self, terminal: Terminal) -> None:
        Terminal.objects.update(invoice_creator="PTP", invoice_base_url="")
        factories.list_payments(terminal.platform)
        assert "invoice_base_url" not in the_patch(terminal).body

    @pytest.mark.parametrize(
        "url",
        ["https://ptp.example/payments", "https://ptp.example/payments/", "https://ptp.example/payments/terminals"],
    )
    def test_the_address_is_found_however_the_ptp_lists_it(self, terminal: Terminal, url: str) -> None:
        factories.list_payments(terminal.platform, url)
        assert the_patch(terminal).url == "https://ptp.example/payments/terminals/T1"

    def test_a_ptp_without_the_module_is_an_error_for_staff(self, terminal: Terminal) -> None:
        with pytest.raises(PeerError, match="no payments endpoint"):
            the_patch(terminal)

    def test_a_terminal_deleted_meanwhile_leaves_nothing_to_say(self, terminal: Terminal) -> None:
        queue_assignment(terminal.pk)
        platform = terminal.platform
        terminal.delete()
        queue_assignment(123456)
        assert build_assignment(the_push(platform)) is None

    @pytest.mark.parametrize("lists", [{}, {"location_ids": []}, {"location_ids": None, "evse_uids": []}])
    def test_a_ptp_never_takes_an_assignment_away(self, terminal: Terminal, area: Any, lists: Any) -> None:
        assert list(told_later(terminal.platform, **lists).locations.all()) == [area]
        assert queued() == 0

    def test_what_we_said_coming_back_needs_no_answer(self, terminal: Terminal) -> None:
        told_later(terminal.platform, location_ids=["vie-hq"], evse_uids=[], invoice_base_url=OURS)
        assert queued() == 0

    @pytest.mark.parametrize("other", [{"location_ids": ["GRZ"]}, {"invoice_base_url": "https://ptp.example/i/"}])
    def test_another_opinion_of_the_ptp_is_answered_once(self, terminal: Terminal, area: Any, other: Any) -> None:
        kept = told_later(terminal.platform, **other)
        assert list(kept.locations.all()) == [area]
        assert queued() == 1
        told_later(terminal.platform, **other)
        assert queued() == 0

    def test_our_answer_is_newer_than_what_the_ptp_said(self, terminal: Terminal) -> None:
        before = told_later(terminal.platform).last_updated
        assert told_later(terminal.platform, location_ids=["GRZ"]).last_updated > before

    def test_staff_may_unassign_for_good(self, terminal: Terminal) -> None:
        assign_terminal(terminal, [], [])
        assert not told_later(terminal.platform, location_ids=["VIE-HQ"]).locations.exists()

    def test_before_our_first_decision_the_ptps_assignment_is_taken_over(self, platform: Any, area: Any) -> None:
        evse = factories.make_evse(area, 2)
        terminal = told(platform, terminal_id="T2", location_ids=["vie-hq", "GONE"], evse_uids=["cp-vie-hq-2"])
        assert (list(terminal.locations.all()), list(terminal.evses.all())) == ([area], [evse])
        assert terminal.reported["location_ids"] == ["vie-hq", "GONE"]
        assert queued() == 0

    def test_another_operators_area_is_not_taken_over(self, platform: Any) -> None:
        factories.make_area(factories.make_operator("Stranger"), "FAR")
        assert not told(platform, location_ids=["FAR"]).locations.exists()

    def test_a_terminal_from_the_pool_becomes_the_owners_of_the_area(self, platform: Any, area: Any) -> None:
        platform.profiles.get().operators.add(factories.make_operator("Beta"))
        terminal = told(platform)
        assert terminal.operator is None
        assign_terminal(terminal, [area], [])
        terminal.refresh_from_db()
        assert terminal.operator == area.operator

    def test_areas_of_others_are_refused(self, terminal: Terminal) -> None:
        far = factories.make_area(factories.make_operator("Stranger"), "FAR")
        with pytest.raises(ValidationError, match="does not work for"):
            assign_terminal(terminal, [far], [])

    def test_what_partners_do_not_know_is_refused(self, terminal: Terminal, operator: Any) -> None:
        hidden = factories.make_area(operator, "")
        with pytest.raises(ValidationError, match="no roaming id"):
            assign_terminal(terminal, [hidden], [])
        assert queued() == 0

    def test_the_lists_of_two_changes_are_one_request(self, terminal: Terminal, area: Any, evse: Any) -> None:
        queue_assignment(terminal.pk)
        queue_assignment(terminal.pk)
        assert Push.objects.filter(module="terminals").count() == 1


def test_terminals_and_advices_are_part_of_the_delivery() -> None:
    assert "terminals" in registry.senders
    assert {"terminals", "financial advices"} <= set(registry.pull_sources)
    assert [entry.module for entry in registry.endpoints_for("PTP")].count("payments") == 1
    assert "payments" not in [entry.module for entry in registry.endpoints_for("EMSP")]


def test_two_ptps_may_use_the_same_terminal_id(platform: Any, operator: Any) -> None:
    other = factories.make_platform(operator, party=("AT", "XYZ"))
    assert told(platform).pk != told(other).pk


def test_last_updated_never_goes_back(platform: Any, area: Any) -> None:
    terminal = told(platform, last_updated="2024-01-01T00:00:00Z")
    assign_terminal(terminal, [area], [])
    assert told(platform, last_updated="2024-01-02T00:00:00Z").last_updated > timezone.now() - timedelta(minutes=1)
