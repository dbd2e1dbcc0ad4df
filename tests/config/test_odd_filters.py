"""Whatever stands in the address of a list, staff get the list or a sentence."""

import pytest
from django.contrib import admin
from django.db import connection
from django.urls import reverse

from chargers.models import ChargingSession, Reservation
from infrastructure.models import Charger
from payments.models import PaymentIssue
from tests.infrastructure.factories import SiteFactory, make_superuser

# Not within the transaction of a test: on PostgreSQL an odd value ends it, as it ends nothing for a page.
pytestmark = pytest.mark.django_db(transaction=True)

ODD = ["9" * 20, "-1", "½", "x" * 4000, "9" * 5000, "0001-01-01"]
LISTS = [ChargingSession, PaymentIssue, Reservation]
PARTS = ("year", "month", "day")


def address_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def parameters_of(model, request):
    """All that the list's filters, its date hierarchy and Django itself look for in the address."""
    page = admin.site.get_model_admin(model)
    changelist = page.get_changelist_instance(request)
    names = {name for spec in changelist.filter_specs for name in spec.expected_parameters() if name}
    if page.date_hierarchy:
        names |= {f"{page.date_hierarchy}__{part}" for part in (*PARTS, "gte", "lt")}
    return sorted(names | {"o", "p", "q", "id__in", "pk", "id__exact"})


@pytest.fixture
def chief(client):
    SiteFactory()
    client.force_login(make_superuser())
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_odd_value_of_a_filter_is_an_error_of_the_server(model, chief):
    request = chief.get(address_of(model)).wsgi_request
    failed = [
        (name, odd[:25])
        for name in parameters_of(model, request)
        for odd in ODD
        if chief.get(address_of(model), {name: odd}).status_code >= 500
    ]
    assert not failed


def test_no_odd_day_of_a_date_hierarchy_is_an_error_of_the_server(chief):
    days = [
        ("2026", "13", ""),
        ("2026", "0", "1"),
        ("2026", "2", "31"),
        ("-5", "2", "3"),
        ("0", "1", "1"),
        ("x", "y", "z"),
    ]
    for day in days:
        query = {f"opened_at__{part}": value for part, value in zip(PARTS, day, strict=True) if value}
        assert chief.get(address_of(PaymentIssue), query).status_code < 500, day


def test_a_year_that_no_calendar_has_is_said(chief):
    page = chief.get(address_of(PaymentIssue), {"opened_at__year": "9" * 20}, follow=True)
    assert page.status_code == 200
    assert "cannot be filtered" in page.content.decode()
    assert connection.is_usable()


@pytest.mark.parametrize("key", ["9" * 20, "-1", "x", "9" * 5000])
def test_a_row_that_cannot_be_is_not_found(key, chief):
    page = chief.get(f"{address_of(Charger)}{key}/change/", follow=True)
    assert page.status_code in (200, 404)
