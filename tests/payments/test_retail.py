"""A partner with a wholesale tariff: it owes us the tariff, its drivers pay the factor and the surcharge."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from chargers.api.serializers.transactions import TransactionSerializer
from chargers.models import CDR, ChargerConnection, ChargingSession, LateStop
from chargers.services import progress, settling
from chargers.services.cdrs import credit_cdr
from chargers.services.corrections import Correction, correct_cdr
from config.desk import figures
from infrastructure import outbox
from infrastructure.services import masterdata
from payments.choices import IssueKind
from payments.models import Invoice, PaymentIssue
from payments.services import exports, issue_sweep
from payments.services.advices import receive_advice
from payments.services.book_entries import Selection
from payments.services.reconciliation import Amounts, books, months
from payments.simulator.money import drivers_price
from roaming.choices import Module
from roaming.models import Document, RoamingPlatform
from tariffs.pricing import money
from tests.chargers import factories as charging
from tests.payments import factories
from tests.payments.paid_sessions import begin, charged, make_partner, request_start

pytestmark = pytest.mark.django_db

TERMS = {
    "retail_factor": Decimal("1.25"),
    "retail_surcharge": Decimal("0.35"),
    "retail_surcharge_vat": Decimal(10),
}


@pytest.fixture
def platform() -> RoamingPlatform:
    return make_partner(**TERMS)


def document(module: Module, **fields: Any) -> dict[str, Any]:
    return dict(Document.objects.get(module=module, **fields).body)


def captured(platform: RoamingPlatform, amount: float) -> None:
    receive_advice(platform, factories.advice_body("A1", "REF-1", total_costs={"excl_vat": amount, "incl_vat": amount}))
    outbox.drain()


def booked() -> Amounts:
    user = get_user_model().objects.create_superuser("boss")
    now = timezone.now()
    (_, amounts), *others = books(Selection(now - timedelta(days=1), now + timedelta(days=1)), user).totals
    assert not others
    return amounts


def test_the_partner_sees_its_own_tariff_and_the_drivers_words_and_amount(platform: RoamingPlatform) -> None:
    tariff = document(Module.TARIFFS, object_id="ADHOC-AC")
    energy = tariff["elements"][0]["price_components"][1]
    assert (energy["type"], energy["price"]) == ("ENERGY", 0.45)
    assert tariff["max_price"]["incl_vat"] == 50.35  # 40 x 1.25 + 0.35
    text = next(text["text"] for text in tariff["tariff_alt_text"] if text["language"] == "en")
    assert "€0.675 per kWh" in text  # 0.54 x 1.25
    assert "Plus a service fee of €0.35 per session" in text
    assert "€50.35 is blocked on your card" in text
    assert "VAT (10%, 20%)" in text


def test_a_change_of_the_factor_reaches_the_tariff_at_once_and_no_running_session(platform: RoamingPlatform) -> None:
    session = request_start(platform, "REF-1")
    platform.retail_factor = Decimal(2)
    masterdata.save(platform)
    outbox.drain()
    assert document(Module.TARIFFS, object_id="ADHOC-AC")["max_price"]["incl_vat"] == 80.35
    session.refresh_from_db()
    assert (session.limit, session.retail) == (
        Decimal("50.35"),
        {"factor": "1.25", "surcharge": "0.35", "surcharge_vat": "10"},
    )


def test_live_cost_and_cdr_are_the_partners_and_the_invoice_is_the_drivers(platform: RoamingPlatform) -> None:
    session = charged(platform)
    assert (session.total_cost_incl_vat, session.retail_total_incl_vat) == (Decimal("5.4000"), Decimal("7.1000"))
    assert document(Module.SESSIONS)["total_cost"] == {"excl_vat": 4.5, "incl_vat": 5.4}
    cdr = document(Module.CDRS)
    assert cdr["total_cost"] == cdr["total_energy_cost"] == {"excl_vat": 4.5, "incl_vat": 5.4}
    (tariff,) = cdr["tariffs"]
    assert tariff["max_price"]["incl_vat"] == 40
    (text,) = [one["text"] for one in tariff["tariff_alt_text"] if one["language"] == "en"]
    assert "€0.54 per kWh" in text and "blocked" not in text
    invoice = Invoice.objects.get()
    assert (invoice.total_gross, invoice.total_net, invoice.preauthorised) == (
        Decimal("7.10"),
        Decimal("5.95"),
        Decimal("50.35"),
    )
    assert [(line["dimension"], line["unit_price"], line["gross"]) for line in invoice.lines] == [
        ("ENERGY", "0.675", "6.75"),
        ("SURCHARGE", "0.35", "0.35"),
    ]
    assert [(Decimal(entry["vat"]), entry["gross"]) for entry in invoice.vat_totals] == [(10, "0.35"), (20, "6.75")]


@pytest.mark.parametrize(
    ("kwh", "published", "drivers"),
    [
        # 2.86524 is published as 2.8652: 3.64498 for the driver. Of the exact amount it would be 3.645026, a cent more.
        ("5.306", "2.8652", "3.64"),
        # 1.03494, in four decimals 1.0349; in four of the exact amount, 1.0350, it would be 1.04.
        ("1.103", "0.5956", "1.03"),
    ],
)
def test_the_drivers_price_follows_from_the_published_total_and_is_rounded_once(
    kwh: str, published: str, drivers: str
) -> None:
    platform = make_partner(retail_factor=Decimal("1.15"), retail_surcharge=Decimal("0.35"))
    session = charged(platform, kwh=kwh)
    cdr, told = CDR.objects.get(), document(Module.CDRS)["total_cost"]["incl_vat"]
    assert told == float(published)
    # What anyone finds with the CDR and the terms, the provider among them.
    price = drivers_price({"incl_vat": told}, {"retail_factor": "1.15", "retail_surcharge": "0.35"})["incl_vat"]
    assert money(price, "EUR") == Decimal(drivers)
    assert (session.retail_total_incl_vat, cdr.retail_total_incl_vat) == (Decimal(drivers),) * 2
    assert cdr.retail_cost is not None
    assert sum(Decimal(entry["gross"]) for entry in cdr.retail_cost["vat_totals"]) == Decimal(drivers)
    invoice = Invoice.objects.get()
    assert invoice.total_gross == sum(Decimal(entry["gross"]) for entry in invoice.vat_totals) == Decimal(drivers)
    assert sum(Decimal(line["gross"]) for line in invoice.lines) == Decimal(drivers)
    assert booked().retail == Decimal(drivers)


def test_the_bill_stops_at_what_was_blocked_and_the_cdr_at_the_wholesale_amount_behind_it(
    platform: RoamingPlatform,
) -> None:
    charged(platform, kwh="90")  # 60.75 + 0.35
    cdr = CDR.objects.get()
    assert (cdr.total_cost_incl_vat, cdr.retail_total_incl_vat) == (Decimal(40), Decimal("50.35"))
    assert Invoice.objects.get().total_gross == Decimal("50.35")


@pytest.mark.parametrize(("amount", "kinds"), [(7.10, []), (5.40, [IssueKind.AMOUNT_DIFFERS])])
def test_a_capture_is_compared_with_the_drivers_price(
    platform: RoamingPlatform, amount: float, kinds: list[IssueKind]
) -> None:
    charged(platform)
    captured(platform, amount)
    assert list(PaymentIssue.objects.exclude(kind=IssueKind.UNKNOWN_TERMINAL).values_list("kind", flat=True)) == kinds


def test_the_books_hold_both_sides_apart(platform: RoamingPlatform) -> None:
    charged(platform)
    captured(platform, 7.10)
    found = booked()
    partner_side = (found.gross, found.billed, found.owed)
    assert partner_side == (Decimal("5.40"),) * 3
    drivers_side = (found.retail, found.invoiced, found.expected, found.captured)
    assert drivers_side == (Decimal("7.10"),) * 4
    assert (found.difference, found.open_items) == (0, 0)
    # The same words mean the same in the chart of the months.
    user, now = get_user_model().objects.get(username="boss"), timezone.now()
    (month,) = months(Selection(now - timedelta(days=1), now + timedelta(days=1)), user, ZoneInfo("UTC"))
    assert (month.billed, month.captured) == (found.billed, found.captured)


def test_the_drivers_price_can_be_recomputed_from_each_row_of_the_file(platform: RoamingPlatform) -> None:
    charged(platform)
    RoamingPlatform.objects.update(retail_factor=Decimal(3))  # is for later sessions
    credit_cdr(CDR.objects.get(), "All of it was wrong.")
    rows = [dict(zip(map(str, exports.HEAD), row, strict=True)) for row in exported()]
    assert [(row["CDR total incl. VAT"], row["Driver's price"]) for row in rows] == [
        (Decimal("5.4000"), Decimal("7.10")),
        (Decimal("-5.4000"), Decimal("-7.10")),
    ]
    assert {(row["Factor"], row["Surcharge"]) for row in rows} == {(Decimal("1.25"), Decimal("0.35"))}


def test_an_uncaptured_price_is_open_for_the_driver_and_owed_by_the_partner(platform: RoamingPlatform) -> None:
    charged(platform)
    found = booked()
    assert (found.owed, found.difference, found.open_items) == (Decimal("5.40"), Decimal("-7.10"), 1)


def test_credit_and_correction_take_both_amounts_along(platform: RoamingPlatform) -> None:
    session = charged(platform)
    captured(platform, 7.10)
    assert session.ended_at is not None
    new = correct_cdr(CDR.objects.get(), Correction(session.ended_at, Decimal(5)), "The meter was wrong.")
    outbox.drain()
    assert (new.total_cost_incl_vat, new.retail_total_incl_vat) == (Decimal("2.70"), Decimal("3.73"))
    credit = CDR.objects.get(is_credit=True)
    assert (credit.total_cost_incl_vat, credit.retail_total_incl_vat) == (Decimal("-5.40"), Decimal("-7.10"))
    note = Invoice.objects.get(kind="CREDIT_NOTE")
    assert (note.total_gross, sum(Decimal(line["gross"]) for line in note.lines)) == (Decimal("-7.10"),) * 2
    found = booked()
    assert (found.billed, found.retail, found.invoiced) == (Decimal("2.70"), Decimal("3.73"), Decimal("3.73"))
    credit_cdr(new, "All of it was wrong.")
    assert sum(cdr.driver_total_incl_vat or 0 for cdr in CDR.objects.all()) == 0


def test_a_late_end_is_offered_and_corrected_at_the_drivers_price(platform: RoamingPlatform) -> None:
    """Billed are 2 kWh (1.08, the driver 1.70), captured too; then the charger tells of 10 (5.40, the driver 7.10)."""
    at = timezone.now().replace(microsecond=0) - timedelta(hours=3)
    session = begin(request_start(platform, "REF-1"), at)
    values = charging.meter_values(session, (at + timedelta(minutes=20), 2000, None))
    progress.update_session(charging.charger_of(session), values)
    ChargerConnection.objects.update(channel_name="", disconnected_at=timezone.now() - settings.LOST_CHARGER_AFTER)
    settling.end_lost_sessions()
    outbox.drain()
    captured(platform, 1.70)
    charging.end(session, at + timedelta(minutes=40), 10_000)
    issue_sweep.sweep()
    issue = PaymentIssue.objects.get(kind=IssueKind.LATE_STOP)
    assert "1.70 EUR. Later the charger told another end: 10.000 kWh" in issue.reason
    assert ", 7.10 EUR. Nothing was billed for it." in issue.reason
    late = LateStop.objects.get()
    new = correct_cdr(CDR.objects.get(), Correction(late.ended_at, late.kwh), "The charger told the end later.")
    outbox.drain()
    both = (new.total_cost_incl_vat, new.retail_total_incl_vat)
    assert both == (late.total_cost_incl_vat, late.retail_total_incl_vat) == (Decimal("5.40"), Decimal("7.10"))
    totals = Invoice.objects.order_by("pk").values_list("kind", "total_gross")
    assert [(kind, f"{total:.2f}") for kind, total in totals] == [
        ("INVOICE", "1.70"),
        ("CREDIT_NOTE", "-1.70"),
        ("INVOICE", "7.10"),
    ]
    assert Invoice.objects.latest("pk").preauthorised == Decimal("50.35")
    found = booked()
    assert (found.billed, found.retail, found.expected) == (Decimal("5.40"), Decimal("7.10"), Decimal("7.10"))
    assert (found.captured, found.difference, found.open_items) == (Decimal("1.70"), Decimal("-5.40"), 1)


def test_staff_see_both_amounts(client: Any, platform: RoamingPlatform) -> None:
    session = charged(platform)
    captured(platform, 7.10)
    client.force_login(get_user_model().objects.create_superuser("staff"))
    pages = {
        "chargers_chargingsession": session.pk,
        "chargers_cdr": CDR.objects.get().pk,
        "payments_invoice": Invoice.objects.get().pk,
    }
    for name, pk in pages.items():
        page = client.get(reverse(f"admin:{name}_change", args=[pk])).content.decode()
        assert "5.40 EUR" in page
        assert "7.10 EUR" in page
    assert "50.3500" not in page  # what was blocked, in cents, too
    page = client.get(reverse("admin:payments_reconciliation")).content.decode()
    assert "Drivers pay" in page
    assert "5.40" in page
    assert "7.10" in page


def test_programs_get_both_amounts_and_revenue_is_what_the_partner_owes(platform: RoamingPlatform) -> None:
    session = charged(platform)
    session.charge_point = "DEMO-AC-1"  # as the list annotates it
    told = TransactionSerializer(session).data
    assert (told["cost"]["incl_vat"], told["driver_price"]) == ("5.40", "7.10")
    boss = get_user_model().objects.create_superuser("boss")
    assert figures.today(boss).revenue == [(Decimal("5.40"), "EUR")]


def test_drivers_see_only_theirs(client: Any, platform: RoamingPlatform) -> None:
    charged(platform)
    page = client.get("/invoices/terminals/REF-1?lang=en").content.decode()
    assert "7.10" in page
    assert "Service fee" in page
    cells = re.findall(r"<td>([^<]*)</td>", page.partition("<h2>VAT</h2>")[2])
    assert cells[:12] == ["10 %", "0.32", "0.03", "0.35", "20 %", "5.63", "1.12", "6.75", "Sum", "5.95", "1.15", "7.10"]
    assert "5.40" not in page


def exported() -> list[tuple[Any, ...]]:
    user, now = get_user_model().objects.create_superuser("boss"), timezone.now()
    selection = Selection(now - timedelta(days=1), now + timedelta(days=1))
    return list(exports.entry_rows(selection, user, timezone.get_default_timezone()))


def test_with_factor_1_and_no_surcharge_nothing_differs() -> None:
    """Byte by byte: what a partner without terms is told and billed, and what the code for terms makes of 1 and 0."""
    platform = make_partner(retail_factor=Decimal("1.0000"), retail_surcharge_vat=Decimal(20))
    tariff = document(Module.TARIFFS, object_id="ADHOC-AC")
    assert tariff["max_price"]["incl_vat"] == 40
    assert "Plus" not in str(tariff["tariff_alt_text"])
    plain = charged(platform)
    assert (plain.retail, plain.retail_total_incl_vat) == (None, None)
    session = request_start(platform, "REF-2")
    neutral = {"factor": "1", "surcharge": "0", "surcharge_vat": None}
    ChargingSession.objects.filter(pk=session.pk).update(retail=neutral)
    bare = CDR.objects.get()
    assert (bare.retail_cost, bare.driver_cost) == (None, bare.cost)
    session.refresh_from_db()
    at = plain.started_at
    assert at is not None
    begin(session, at)
    charging.end(session, at + timedelta(minutes=30), 10_000)
    outbox.drain()
    priced = CDR.objects.get(session=session)
    assert repr(priced.retail_cost) == repr(bare.cost)
    assert repr(priced.cost) == repr(bare.cost)
    one, other = Invoice.objects.order_by("pk")
    for name in ("lines", "vat_totals", "total_net", "total_gross", "preauthorised", "stop_reason"):
        assert repr(getattr(one, name)) == repr(getattr(other, name))
