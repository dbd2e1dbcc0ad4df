from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from infrastructure import outbox
from infrastructure.models import OperatorMembership, OutboxEvent
from payments.models import Invoice, Terminal
from payments.services.advices import match_advice, receive_advice
from payments.services.invoices import open_invoice
from tests.payments import factories


@pytest.fixture
def terminal(platform: Any, operator: Any) -> Terminal:
    return factories.make_terminal(platform, operator=operator)


def save(client: Any, terminal: Terminal, **fields: Any) -> Any:
    form = {"operator": terminal.operator_id or "", "locations": [], "evses": []} | fields
    return client.post(reverse("admin:payments_terminal_change", args=[terminal.pk]), form)


def test_assigning_in_the_form_tells_the_partner(admin_client: Any, terminal: Terminal, area: Any, evse: Any) -> None:
    answer = save(admin_client, terminal, locations=[area.pk], evses=[evse.pk])
    assert answer.status_code == 302
    assert (list(terminal.locations.all()), list(terminal.evses.all())) == ([area], [evse])
    assert OutboxEvent.objects.filter(topic="terminal", object_id=terminal.pk).count() == 1


def test_a_reference_of_ours_is_told_to_the_partner(admin_client: Any, terminal: Terminal) -> None:
    assert save(admin_client, terminal, our_reference="C-1042").status_code == 302
    terminal.refresh_from_db()
    assert terminal.our_reference == "C-1042"
    assert OutboxEvent.objects.filter(topic="terminal", object_id=terminal.pk).count() == 1


def test_a_reference_that_partners_cannot_store_is_refused(admin_client: Any, terminal: Terminal) -> None:
    assert "without accents" in save(admin_client, terminal, our_reference="Größe 1").content.decode()
    assert not OutboxEvent.objects.filter(topic="terminal").exists()


def test_saving_without_a_change_tells_nothing(admin_client: Any, terminal: Terminal) -> None:
    save(admin_client, terminal)
    assert not OutboxEvent.objects.filter(topic="terminal").exists()


def test_the_form_refuses_what_the_terminal_does_not_work_for(admin_client: Any, terminal: Terminal) -> None:
    far = factories.make_area(factories.make_operator("Stranger"), "FAR")
    answer = save(admin_client, terminal, locations=[far.pk])
    assert "does not work for" in answer.content.decode()
    assert not terminal.locations.exists()


def test_a_terminal_is_taken_from_the_pool(admin_client: Any, platform: Any, operator: Any) -> None:
    terminal = factories.make_terminal(platform, "T9")
    save(admin_client, terminal, operator=operator.pk)
    terminal.refresh_from_db()
    assert terminal.operator == operator


def test_staff_of_one_operator_see_its_terminals_only(client: Any, terminal: Terminal, platform: Any) -> None:
    factories.make_terminal(platform, "POOLED")
    user = get_user_model().objects.create_user("ann", is_staff=True)
    user.user_permissions.set(_permissions())
    OperatorMembership.objects.create(user=user, operator=terminal.operator)
    client.force_login(user)
    html = client.get(reverse("admin:payments_terminal_changelist")).content.decode()
    assert "T1" in html
    assert "POOLED" not in html


def _permissions() -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(content_type__app_label="payments")


@pytest.mark.parametrize("name", ["terminal", "financialadviceconfirmation", "invoice"])
def test_lists_and_pages_open(admin_client: Any, platform: Any, terminal: Terminal, evse: Any, name: str) -> None:
    invoice = open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    advice, _ = receive_advice(platform, factories.advice_body(total_costs={"excl_vat": 8, "incl_vat": 9.6}))
    match_advice(advice.pk)
    parked, _ = receive_advice(platform, factories.advice_body("A2", "unknown"))
    rows = {"terminal": terminal, "financialadviceconfirmation": parked, "invoice": invoice}
    changelist = admin_client.get(reverse(f"admin:payments_{name}_changelist") + "?q=1")
    assert changelist.status_code == 200
    html = admin_client.get(reverse(f"admin:payments_{name}_changelist")).content.decode()
    assert {"terminal": "T1", "financialadviceconfirmation": "no session", "invoice": "(-0.20)"}[name] in html
    assert admin_client.get(reverse(f"admin:payments_{name}_change", args=[rows[name].pk])).status_code == 200


def test_an_invoice_cannot_be_edited_or_deleted(admin_client: Any, platform: Any, evse: Any) -> None:
    invoice = open_invoice(factories.make_cdr(factories.make_session(platform, evse)).pk)
    assert invoice is not None
    page = reverse("admin:payments_invoice_change", args=[invoice.pk])
    assert f"/invoices/terminals-bv/{factories.REFERENCE}" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"number": "x"}).status_code == 403
    assert admin_client.post(reverse("admin:payments_invoice_delete", args=[invoice.pk])).status_code == 403
    assert Invoice.objects.get().number == invoice.number


def test_the_assignment_is_sent_again_on_demand(admin_client: Any, terminal: Terminal) -> None:
    form = {"action": "send_again", "_selected_action": [terminal.pk], "confirmed": "yes"}
    admin_client.post(reverse("admin:payments_terminal_changelist"), form)
    outbox.drain()
    assert terminal.platform.pushes.filter(module="terminals").count() == 1
