"""What is ours of a PTP's terminal is put there without losing anything of the PTP's: read, merged, sent back whole."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from infrastructure import outbox
from payments.choices import IssueKind
from payments.models import Terminal
from payments.services import drift
from payments.services.terminals import assign_terminal, receive_terminal, set_reference
from payments.simulator.book import Registration
from payments.simulator.run import Provider
from payments.simulator.settings import Settings
from payments.simulator.terminals import _terminals
from roaming.choices import PushState
from roaming.models import Push
from roaming.services import push
from tests.payments import factories
from tests.roaming.factories import make_role

OURS = "http://testserver/invoices/terminals-bv/"
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture
def ptp(platform: Any) -> Iterator[Provider]:
    """The simulated PTP with one terminal, as after a registration."""
    provider = Provider(Settings(quiet=True, terminals=1))
    provider.start()
    provider.office.book.registration = Registration(
        server_token="client-token", roles=[{"country_code": "AT", "party_id": "PLG"}], registered_at="now"
    )
    factories.list_payments(platform, f"{provider.office.base_url}/ocpi/2.2.1/payments")
    make_role(platform)
    yield provider
    provider.stop()


def there(ptp: Provider) -> dict[str, Any]:
    """The terminal as the PTP holds it."""
    (terminal,) = ptp.office.book.terminals.values()
    return terminal


@pytest.fixture
def terminal(platform: Any, ptp: Provider) -> Terminal:
    """Known to us as the PTP told of it."""
    return receive_terminal(platform, there(ptp) | {"last_updated": "2024-01-01T00:00:00Z"})[0]


def tell(*, times: int = 1) -> Push:
    outbox.drain()
    row = Push.objects.filter(module="terminals").latest("pk")
    for _ in range(times):
        push.deliver_next(row.platform_id)
    row.refresh_from_db()
    return row


def methods(ptp: Provider) -> list[str]:
    """What was asked of the terminal, oldest first."""
    return [str(event["method"]) for event in ptp.office.log.events() if event.get("module") == "payments"]


def test_reference_and_invoice_address_are_put_with_all_that_the_ptp_holds(
    terminal: Terminal, ptp: Provider, area: Any
) -> None:
    there(ptp)["vendor_serial"] = "SN-7"
    before = dict(there(ptp))
    assign_terminal(terminal, [area], [])
    set_reference(terminal, "C-1042")
    sent = tell()
    assert (sent.state, sent.method) == (PushState.DONE, "PUT")
    changed = {"customer_reference": "C-1042", "invoice_base_url": OURS, "location_ids": ["VIE-HQ"], "evse_uids": []}
    assert there(ptp) == before | changed | {"last_updated": there(ptp)["last_updated"]}
    assert there(ptp)["last_updated"] > before["last_updated"]
    assert methods(ptp) == ["GET", "PUT"]
    assert ptp.office.book.complaints == []


def test_the_put_is_complete(terminal: Terminal, ptp: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = []
    kept = push.client_for

    def watched(*args: Any, **options: Any) -> Any:
        client = kept(*args, **options)
        put = client.put
        client.put = lambda url, body, **more: (bodies.append(body), put(url, body, **more))[1]
        return client

    monkeypatch.setattr(push, "client_for", watched)
    before = dict(there(ptp))
    set_reference(terminal, "C-1042")
    tell()
    assert bodies[0].keys() == before.keys() | {"invoice_base_url"}
    assert bodies[0]["terminal_id"] == before["terminal_id"]


def test_what_a_pull_read_before_the_ptp_took_our_decision_is_not_its_answer_to_it(
    terminal: Terminal, ptp: Provider, area: Any
) -> None:
    asked_at, listed = timezone.now(), there(ptp) | {"city": "Linz"}
    assign_terminal(terminal, [area], [])
    set_reference(terminal, "C-1042")
    tell()
    terminal, _ = receive_terminal(terminal.platform, listed, asked_at=asked_at)
    assert drift.of_terminal(terminal) == []
    assert terminal.city == "Linz"
    terminal, _ = receive_terminal(terminal.platform, listed | {"location_ids": []}, asked_at=timezone.now())
    assert [finding.kind for finding in drift.of_terminal(terminal)] == [IssueKind.TERMINAL_DRIFT]


def test_a_decision_that_is_not_even_queued_is_no_drift(terminal: Terminal, ptp: Provider, area: Any) -> None:
    receive_terminal(terminal.platform, there(ptp) | {"location_ids": []})
    assign_terminal(terminal, [area], [])
    terminal.refresh_from_db()
    assert drift.drift_of(terminal) and drift.of_terminal(terminal) == []
    tell()
    terminal.refresh_from_db()
    assert drift.drift_of(terminal) == []


def test_before_our_decision_the_ptps_assignment_stands(terminal: Terminal, ptp: Provider) -> None:
    there(ptp)["location_ids"] = ["THEIRS"]
    set_reference(terminal, "C-1042")
    tell()
    assert there(ptp)["location_ids"] == ["THEIRS"]
    assert "THEIRS" not in str(Terminal.objects.get().reported)


def test_where_the_ptp_invoices_the_address_is_its_own(terminal: Terminal, ptp: Provider) -> None:
    there(ptp)["invoice_base_url"] = "https://ptp.example/i/"
    Terminal.objects.update(invoice_creator="PTP")
    set_reference(terminal, "C-1042")
    tell()
    assert there(ptp)["invoice_base_url"] == "https://ptp.example/i/"


def test_what_is_there_already_is_not_put_again(terminal: Terminal, ptp: Provider, area: Any) -> None:
    set_reference(terminal, "C-1042")
    tell()
    assign_terminal(terminal, [area], [])
    sent = tell()
    assert sent.method == "PATCH"
    assert methods(ptp) == ["GET", "PUT", "PATCH"]
    assert there(ptp)["customer_reference"] == "C-1042"


def test_a_clock_there_that_runs_ahead_is_not_turned_back(terminal: Terminal, ptp: Provider) -> None:
    there(ptp)["last_updated"] = LATER
    set_reference(terminal, "C-1042")
    tell()
    assert there(ptp)["last_updated"] == LATER


def test_a_reference_of_the_ptps_is_shown_and_not_fought_over(terminal: Terminal, ptp: Provider, area: Any) -> None:
    assign_terminal(terminal, [area], [])
    set_reference(terminal, "C-1042")
    tell()
    terminal.refresh_from_db()
    assert drift.drift_of(terminal) == []
    receive_terminal(terminal.platform, {"terminal_id": terminal.terminal_id, "customer_reference": "X-1"})
    outbox.drain()
    terminal.refresh_from_db()
    assert drift.drift_of(terminal) == ["customer reference there: X-1; here: C-1042"]
    assert not Push.objects.filter(module="terminals", state=PushState.PENDING).exists()
    drift.repair(terminal)
    tell()
    assert there(ptp)["customer_reference"] == "C-1042"
    terminal.refresh_from_db()
    assert drift.drift_of(terminal) == []


@pytest.mark.parametrize("shown", ["unknown", "garbled"])
def test_a_ptp_that_does_not_show_its_terminal_gets_a_patch(terminal: Terminal, ptp: Provider, shown: str) -> None:
    before = dict(there(ptp))
    if shown == "unknown":
        set_reference(terminal, "C-1042")
        ptp.office.book.terminals.clear()
    else:
        there(ptp)["terminal_id"] = "ANOTHER"
        set_reference(terminal, "C-1042")
    assert tell().method == "PATCH"
    assert before["terminal_id"] == terminal.terminal_id


def test_a_ptp_that_takes_no_put_gets_a_patch_at_once(
    terminal: Terminal, ptp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.simulator.terminals._terminals", _without_put)
    before = dict(there(ptp))
    set_reference(terminal, "C-1042")
    sent = tell(times=2)
    assert (sent.state, sent.method) == (PushState.DONE, "PATCH")
    assert there(ptp)["customer_reference"] == "C-1042"
    assert there(ptp)["address"] == before["address"]


def _without_put(office: Any, request: Any, identifier: str) -> Any:
    from payments.simulator.receivers import not_allowed

    if request.method == "PUT":
        raise not_allowed(request)
    return _terminals(office, request, identifier)


def test_a_ptp_that_cannot_be_read_now_is_asked_again(terminal: Terminal, ptp: Provider) -> None:
    ptp.server.add_fault({"kind": "500", "module": "payments", "times": 1})
    set_reference(terminal, "C-1042")
    sent = tell()
    assert (sent.state, sent.needs_operator, sent.method) == (PushState.PENDING, False, "")
    Push.objects.update(not_before=sent.queued_at)
    tell()
    assert there(ptp)["customer_reference"] == "C-1042"


@pytest.mark.parametrize("then", ["sent again", "cleared"])
def test_what_follows_the_put_leaves_the_ptps_assignment_too(terminal: Terminal, ptp: Provider, then: str) -> None:
    there(ptp)["location_ids"] = ["THEIRS"]
    set_reference(terminal, "C-1042")
    sent = tell()
    if then == "sent again":
        push.send_again(sent)
    else:
        set_reference(terminal, "")
    assert tell().state == PushState.DONE
    assert there(ptp)["location_ids"] == ["THEIRS"]
    assert methods(ptp) == ["GET", "PUT"]


def test_the_ptps_own_reference_is_no_reason_to_write(terminal: Terminal, ptp: Provider) -> None:
    there(ptp)["location_ids"] = ["THEIRS"]
    Terminal.objects.update(customer_reference="c-1042", invoice_creator="PTP")
    set_reference(terminal, "C-1042")
    tell()
    assert methods(ptp) == []
    assert there(ptp)["location_ids"] == ["THEIRS"]


def test_a_put_that_did_not_arrive_is_a_put_again(terminal: Terminal, ptp: Provider) -> None:
    set_reference(terminal, "C-1042")
    outbox.drain()
    Push.objects.filter(module="terminals").update(method="PUT", attempts=1)
    assert tell().method == "PUT"
    assert there(ptp)["customer_reference"] == "C-1042"
