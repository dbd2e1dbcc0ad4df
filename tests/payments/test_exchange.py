"""Files of terminals, sessions, CDRs and invoices."""

from datetime import datetime
from decimal import Decimal
from io import BytesIO

import pytest
from django.contrib import admin
from openpyxl import load_workbook

from chargers.models import CDR, ChargingSession
from infrastructure.exchange.admin import ExportAdmin
from infrastructure.models import EVSE
from payments.models import Invoice, Terminal
from payments.services import spreadsheets
from payments.services.terminals import receive_terminal
from tests.infrastructure.factories import events, make_staff, make_superuser
from tests.infrastructure.test_exchange import address, exported, problems, run, said, upload
from tests.payments import factories

HEAD = "platform,terminal id,operator,areas,EVSEs\n"


@pytest.fixture
def root(client, fresh_cache, db):
    client.force_login(make_superuser())
    return client


@pytest.fixture
def terminal(platform, evse):
    terminal, _ = receive_terminal(platform, {"terminal_id": "T1"})
    events()
    return terminal


def test_a_file_assigns_and_the_partner_is_told_once(root, platform, terminal, area):
    run(root, Terminal, HEAD + f"{platform.name},t1,Acme Charging,{area.name},\n")
    assert list(terminal.locations.all()) == [area]
    assert [topic for topic, _ in events()] == ["terminal"]


def test_a_row_that_changes_nothing_tells_nobody(root, platform, terminal):
    run(root, Terminal, f"platform,terminal id,operator\n{platform.name},T1,Acme Charging\n")
    assert events() == []


def test_terminals_come_from_the_partner(root, platform, terminal):
    response = upload(root, Terminal, HEAD + f"{platform.name},T9,,,\n")
    assert problems(response) == [(2, "terminal id")]
    assert "Terminals come from the partner" in said(response)


def test_the_pages_checks_hold(root, platform, terminal):
    foreign = factories.make_evse(factories.make_area(factories.make_operator("Other"), roaming_id="O-1"))
    EVSE.objects.filter(pk=foreign.pk).update(evse_id="AT*OTH*E9")
    response = upload(root, Terminal, HEAD + f"{platform.name},T1,,,AT*OTH*E9\n")
    assert "belongs to an operator that this terminal does not work for" in said(response)
    assert not terminal.evses.exists()


def test_an_empty_operator_leaves_the_terminal_to_whom_it_belongs(root, platform, terminal, operator, area):
    Terminal.objects.update(operator=operator)
    terminal.locations.set([area])
    run(root, Terminal, HEAD + f"{platform.name},T1,,,\n")
    terminal.refresh_from_db()
    assert (terminal.operator, list(terminal.locations.all())) == (operator, [])


def test_a_terminal_cannot_go_to_an_operator_whose_areas_it_does_not_serve(root, platform, terminal, operator, area):
    Terminal.objects.update(operator=operator)
    terminal.locations.set([area])
    factories.make_operator("Other")
    response = upload(root, Terminal, f"platform,terminal id,operator\n{platform.name},T1,Other\n")
    assert "belongs to an operator that this terminal does not work for" in said(response)


def test_the_audit_trail_names_who_changed_operator_and_reference(root, platform, terminal, operator):
    Terminal.objects.update(operator=operator)
    other = factories.make_operator("Other")
    page = f"/admin/payments/terminal/{terminal.pk}/change/"
    root.post(page, {"operator": other.pk, "our_reference": "C-1042", "locations": [], "evses": []})
    rows = list(Terminal.history.order_by("history_id").values_list("history_user__is_superuser", "changes"))
    changes = [change for _, found in rows for change in found]
    assert changes == [["operator", operator.name, "Other"], ["our customer reference", "", "C-1042"]]
    assert {is_root for is_root, _ in rows} == {True}
    terminal.refresh_from_db()
    assert (terminal.operator, terminal.our_reference) == (other, "C-1042")


def test_terminals_of_others_are_not_there(client, fresh_cache, platform, terminal):
    client.force_login(make_staff("eve", factories.make_operator("Other")))
    assert "You have no platform" in said(upload(client, Terminal, HEAD + f"{platform.name},T1,,,\n"))
    assert len(exported(client, Terminal)) == 0


def test_what_was_exported_comes_back_as_it_is(root, platform, terminal, area):
    terminal.locations.set([area])
    preview = upload(root, Terminal, root.get(address(Terminal, "export", "xlsx")).content, "file.xlsx")
    assert preview.context["problems"] == []
    assert preview.context["result"].totals["skip"] == 1


@pytest.mark.parametrize("model", [ChargingSession, CDR, Invoice])
def test_lists_of_money_can_be_exported_and_nothing_imported(root, model):
    assert len(exported(root, model)) == 0
    assert root.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/import/").status_code in (302, 404)


def test_no_file_holds_a_secret():
    resources = [page.export_resource for page in admin.site._registry.values() if isinstance(page, ExportAdmin)]
    assert len(resources) >= 9
    for resource in resources:
        for field in resource.fields.values():
            assert not {"token", "hash", "password", "secret", "key"} & set(field.attribute.split("_"))


def test_a_session_is_exported_on_the_clock_of_its_area(root, evse, platform):
    session = factories.make_session(platform, evse)
    row = exported(root, ChargingSession).dict[0]
    assert row["time zone"] == session.time_zone
    assert row["charger"] == evse.charger.identity


def test_a_workbook_takes_whatever_a_partner_wrote():
    """Control characters are legal in JSON, but no workbook can hold them."""
    content = spreadsheets.as_xlsx([("Terminals", ["id"], [["T\x01\x1b[1m"], ["=1+1"]])])
    cells = [cell for [cell] in load_workbook(BytesIO(content)).active.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [("T\ufffd\ufffd[1m", "s"), ("=1+1", "s")]


def test_tables_open_in_a_spreadsheet_with_dates_amounts_and_umlauts():
    row = [datetime(2026, 11, 21, 22, 27, 5), Decimal("1.34"), "Göttlesbrunn"]
    sheet = load_workbook(BytesIO(spreadsheets.as_xlsx([("CDRs", ["Booked at", "Billed", "Area"], [row])]))).active
    assert [cell.data_type for cell in sheet[2]] == ["d", "n", "s"]
    assert sheet.freeze_panes == "A2"
    text = "".join(spreadsheets.as_csv(["Booked at", "Billed", "Area"], [row]))
    assert text == "\ufeffBooked at,Billed,Area\r\n2026-11-21 22:27:05,1.34,Göttlesbrunn\r\n"
