"""From our change through outbox and push queue to the PTP, and from its message to the invoice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.services.cdrs import credit_cdr
from infrastructure import outbox
from infrastructure.models import OutboxEvent
from payments.models import Invoice, Terminal
from payments.services.terminals import assign_terminal
from roaming.choices import PushState
from roaming.models import Document, Push
from roaming.services import push
from tests.payments import factories
from tests.roaming.factories import make_role
from tests.roaming.peer import envelope, running_peer


@pytest.fixture
def peer(platform: Any) -> Any:
    with running_peer() as peer:
        peer.accepted.add("client-token")
        factories.list_payments(platform, f"{peer.url}/2.2.1/payments")
        make_role(platform)
        yield peer


def test_an_assignment_reaches_the_ptp(platform: Any, area: Any, peer: Any) -> None:
    terminal = factories.make_terminal(platform, "T 1")
    peer.answers["PATCH", "/2.2.1/payments/terminals/T%201"] = 200, envelope()
    assign_terminal(terminal, [area], [])
    outbox.drain()
    queued = Push.objects.get(module="terminals")
    push.deliver_next(queued.platform_id)
    queued.refresh_from_db()
    (call,) = peer.calls("PATCH")
    assert queued.state == PushState.DONE
    assert call.body["location_ids"] == ["VIE-HQ"]
    assert (call.headers["ocpi-from-party-id"], call.headers["ocpi-to-party-id"]) == ("PLG", "PTP")
    assert Terminal.objects.get().invoice_base_url == call.body["invoice_base_url"]


def test_the_invoice_number_is_in_the_cdr_that_partners_get(platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    _record("cdr", cdr.pk)
    outbox.drain()
    document = Document.objects.get(platform=platform, module="cdrs")
    assert document.body["invoice_reference_id"] == Invoice.objects.get().number


def test_a_corrected_cdr_is_not_written_before_its_credit(platform: Any, evse: Any) -> None:
    """Even when what follows from the credit fails at first and is tried again later."""
    session = factories.make_session(platform, evse)
    cdr = factories.make_cdr(session)
    _record("cdr", cdr.pk)
    outbox.drain()
    credit = credit_cdr(cdr, "The meter was wrong.")
    new = factories.make_cdr(session)
    _record("cdr", new.pk)
    OutboxEvent.objects.filter(topic="cdr", object_id=credit.pk).update(not_before=timezone.now() + timedelta(hours=1))
    outbox.drain()
    written = Document.objects.filter(module="cdrs").order_by("pk")
    assert [document.source_id for document in written] == [cdr.pk, credit.pk, new.pk]
    assert Invoice.objects.filter(cdr=credit).exists()


def test_an_advice_from_the_wire_ends_up_on_the_invoice(ocpi: Any, platform: Any, evse: Any) -> None:
    cdr = factories.make_cdr(factories.make_session(platform, evse))
    ocpi.call("POST", "2.2.1/payments/financial-advice-confirmations", factories.advice_body())
    outbox.drain()
    assert not Invoice.objects.exists()
    _record("cdr", cdr.pk)
    outbox.drain()
    assert Invoice.objects.get().eft_data == factories.advice_body()["eft_data"]


def _record(topic: str, pk: int) -> None:
    with transaction.atomic():
        outbox.record(topic, pk)
