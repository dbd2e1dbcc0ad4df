"""A wrong bill is credited, and the right one takes its place."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from chargers.models import CDR, ChargingSession
from chargers.services.cdrs import credit_cdr
from chargers.services.corrections import Correction, bill_of, correct_cdr, price_correction
from infrastructure.models import Site
from tests.chargers.factories import end, make_active, make_connector, make_version, minutes, reread

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ChargingSession:
    """10 kWh in one hour for 6.00, VAT included."""
    session = make_active(make_connector(), tariff_version=make_version(energy="0.5000"), ago=minutes(90))
    assert session.started_at is not None
    end(session, session.started_at + minutes(60), 10_000)
    return reread(session)


@pytest.fixture
def cdr(session: ChargingSession) -> CDR:
    return session.cdrs.get()


def correction(cdr: CDR, **changes: Any) -> Correction:
    return Correction(**{"ended_at": cdr.end_date_time, "kwh": cdr.total_energy, **changes})


def test_what_the_cdr_says_costs_what_it_says(cdr: CDR) -> None:
    cost = price_correction(cdr, correction(cdr)).cost
    assert cost is not None
    assert (cost.total.excl_vat, cost.total.incl_vat) == (Decimal(5), Decimal(6))


def test_the_corrected_cdr_takes_the_place_of_the_credited_one(session: ChargingSession, cdr: CDR) -> None:
    new = correct_cdr(cdr, correction(cdr, kwh=Decimal("7.5")), "The meter was wrong.")
    cdr.refresh_from_db()
    assert (new.total_energy, new.total_cost_incl_vat) == (Decimal("7.5"), Decimal("4.5"))
    assert new.remark == "Corrected: The meter was wrong."
    assert cdr.credited_at is not None
    assert [credit.total_cost_incl_vat for credit in cdr.credits.all()] == [Decimal(-6)]
    assert bill_of(session) == new
    assert sum(one.total_cost_incl_vat for one in session.cdrs.all()) == Decimal("4.5")


def test_the_corrected_periods_add_up_to_the_corrected_energy(cdr: CDR) -> None:
    new = correct_cdr(cdr, correction(cdr, kwh=Decimal("7.5")), "Wrong.")
    volumes = [
        dimension["volume"]
        for period in new.charging_periods
        for dimension in period["dimensions"]
        if dimension["type"] == "ENERGY"
    ]
    assert sum(volumes) == pytest.approx(7.5)


def test_the_session_keeps_what_was_measured(session: ChargingSession, cdr: CDR) -> None:
    correct_cdr(cdr, correction(cdr, kwh=Decimal("7.5")), "Wrong.")
    assert reread(session).kwh == session.kwh == Decimal(10)
    assert reread(session).total_cost_incl_vat == Decimal(6)


def test_a_goodwill_limit_caps_the_total(cdr: CDR) -> None:
    new = correct_cdr(cdr, correction(cdr, most=Decimal("2.00")), "Sorry.")
    assert (new.total_energy, new.total_cost_incl_vat) == (Decimal(10), Decimal(2))


def test_a_correction_never_exceeds_the_preauthorised_amount(cdr: CDR) -> None:
    cost = price_correction(cdr, correction(cdr, kwh=Decimal(500), most=Decimal(200))).cost
    assert cost is not None
    assert cost.total.incl_vat == Decimal(50)


def test_readings_beyond_the_corrected_end_do_not_count(session: ChargingSession, cdr: CDR) -> None:
    began = session.started_at
    assert began is not None
    new = correct_cdr(cdr, Correction(began + minutes(30), Decimal(4)), "Wrong.")
    assert (new.end_date_time, new.total_time) == (began + minutes(30), Decimal("0.5"))
    assert new.total_energy == Decimal(4)


@pytest.mark.parametrize(
    "changes",
    [
        {"kwh": Decimal(-1)},
        {"most": Decimal(0)},
        {"ended_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"ended_at": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_cannot_have_happened_is_refused(cdr: CDR, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        correct_cdr(cdr, correction(cdr, **changes), "Wrong.")
    assert CDR.objects.count() == 1


def test_only_the_last_cdr_is_corrected(cdr: CDR) -> None:
    correct_cdr(cdr, correction(cdr, kwh=Decimal(9)), "Wrong.")
    with pytest.raises(ValidationError, match="newer CDR"):
        correct_cdr(cdr, correction(cdr, kwh=Decimal(8)), "Again.")
    assert CDR.objects.count() == 3


def test_a_credited_cdr_can_be_corrected_later(cdr: CDR) -> None:
    credit_cdr(cdr, "Wrong.")
    new = correct_cdr(cdr, correction(cdr, kwh=Decimal(9)), "Now we know.")
    assert (new.is_credit, CDR.objects.filter(is_credit=True).count()) == (False, 1)


def test_a_correction_can_be_corrected(cdr: CDR) -> None:
    first = correct_cdr(cdr, correction(cdr, kwh=Decimal(9)), "Wrong.")
    second = correct_cdr(first, correction(cdr, kwh=Decimal(8)), "Wrong again.")
    assert sum(one.total_cost_incl_vat for one in CDR.objects.all()) == second.total_cost_incl_vat == Decimal("4.8")


def test_a_session_has_one_cdr_that_counts(cdr: CDR) -> None:
    cdr.pk, cdr.uid = None, "another"
    with pytest.raises(IntegrityError), transaction.atomic():
        cdr.save()


def form(cdr: CDR, **changes: str) -> dict[str, str]:
    """The end as it was, on the clocks of the site."""
    ended_at = cdr.end_date_time.astimezone(ZoneInfo(Site.objects.get().time_zone))
    day, time = ended_at.strftime("%Y-%m-%d"), ended_at.strftime("%H:%M:%S")
    return {"ended_at_0": day, "ended_at_1": time, "kwh": "7.5", "reason": "Wrong.", **changes}


def test_staff_see_the_new_total_before_they_confirm(admin_client: Any, session: ChargingSession, cdr: CDR) -> None:
    page = reverse("admin:chargers_chargingsession_correct", args=[session.pk])
    html = admin_client.get(page).content.decode()
    # The calendar beside the end of the session speaks by it.
    assert 0 < html.find(reverse("admin:jsi18n")) < html.find("DateTimeShortcuts.js")
    assert 'value="10.000"' in html and "6.00 EUR" in html
    html = admin_client.post(page, form(cdr)).content.decode()
    assert "4.50 EUR" in html
    assert CDR.objects.count() == 1
    admin_client.post(page, form(cdr, confirm="1"))
    assert bill_of(session).total_cost_incl_vat == Decimal("4.5")


def test_a_link_may_propose_the_corrected_data(admin_client: Any, cdr: CDR) -> None:
    page = reverse("admin:chargers_cdr_correct", args=[cdr.pk])
    assert 'value="8.250"' in admin_client.get(f"{page}?kwh=8.250").content.decode()
    assert 'value="10.000"' in admin_client.get(f"{page}?kwh=much").content.decode()


def test_impossible_data_is_said_beside_its_field(admin_client: Any, cdr: CDR) -> None:
    page = reverse("admin:chargers_cdr_correct", args=[cdr.pk])
    html = admin_client.post(page, form(cdr, ended_at_0="2020-01-01", confirm="1")).content.decode()
    assert "cannot end before" in html
    assert CDR.objects.count() == 1


def test_the_actions_stand_where_they_are_possible(admin_client: Any, session: ChargingSession, cdr: CDR) -> None:
    def possible(obj: Any) -> list[str]:
        name = obj._meta.model_name
        html = admin_client.get(reverse(f"admin:chargers_{name}_change", args=[obj.pk])).content.decode()
        return [one for one in ("credit", "correct") if reverse(f"admin:chargers_{name}_{one}", args=[obj.pk]) in html]

    assert possible(session) == possible(cdr) == ["credit", "correct"]
    credit = credit_cdr(cdr, "Wrong.")
    assert possible(session) == possible(cdr) == ["correct"]
    assert possible(credit) == []


def test_a_viewer_cannot_correct(client: Any, cdr: CDR) -> None:
    client.force_login(User.objects.create_user("viewer", password="x", is_staff=True))
    client.post(reverse("admin:chargers_cdr_correct", args=[cdr.pk]), form(cdr, confirm="1"))
    assert CDR.objects.count() == 1
