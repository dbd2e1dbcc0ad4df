"""The page that asks before a deletion says what Django would say, without reading every row for it."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import get_deleted_objects
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import CASCADE, PROTECT
from django.db.models.deletion import get_candidate_relations_to_delete
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chargers.choices import ChargerEventKind
from chargers.models import ChargerEvent
from infrastructure import deletion
from infrastructure.bulk_actions import MOST
from infrastructure.models import Charger, Operator
from infrastructure.services import masterdata
from tests.infrastructure.factories import ChargerFactory, OperatorFactory, make_superuser
from tests.isolation.staff_rows import Rows

pytestmark = pytest.mark.django_db


def request_of(user):
    request = RequestFactory().get("/")
    request.user = user
    return request


def with_what_hangs_on_it(rows, model):
    """A row with one of every kind that would go along or forbid the deletion, down to the last."""
    row = rows.of("A", model)
    for relation in get_candidate_relations_to_delete(model._meta):
        other = relation.related_model
        if relation.on_delete in (CASCADE, PROTECT) and not other._meta.auto_created:
            one = with_what_hangs_on_it(rows, other) if relation.on_delete is CASCADE else rows.of("A", other)
            # Of session settings only one level may be given.
            others = {field.name: None for field in other._meta.concrete_fields if field.is_relation and field.null}
            other._base_manager.filter(pk=one.pk).update(**others | {relation.field.name: row})
    return row


def deletable_rows():
    """Each with all that hangs on it, and taken back before the next: a row hangs on one of them."""
    request, rows = request_of(make_superuser("seer")), Rows()
    for model, page in admin.site._registry.items():
        if page.has_delete_permission(request):
            yield with_what_hangs_on_it(rows, model)


def told(answer):
    """Without the tables that Django keeps for relations between many."""
    _, counts, lacking, forbidding = answer
    joins = {
        str(model._meta.verbose_name_plural)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.auto_created
    }
    return (
        {str(name): n for name, n in counts.items() if name not in joins},
        {str(name) for name in lacking},
        len(forbidding),
    )


def test_it_says_what_django_says():
    kinds = 0
    may_nothing = request_of(User.objects.create_user("nobody", is_staff=True))
    for row in deletable_rows():
        ours = told(deletion.deleted_with([row], may_nothing, admin.site))
        assert ours == told(get_deleted_objects([row], may_nothing, admin.site)), row
        kinds += len(ours[0])
    assert kinds > 50


def test_every_such_page_keeps_to_the_budget(client, monkeypatch):
    """Also where nothing of the services forbids it, and something of every kind goes along."""
    client.force_login(User.objects.create_superuser("boss"))
    monkeypatch.setattr(masterdata, "check_delete", lambda row: None)
    asked = {}
    for row in deletable_rows():
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        asked[address] = len(captured)
    assert len(asked) > 10
    assert {address: count for address, count in asked.items() if count >= 25} == {}


def test_a_hundred_rows_are_counted_and_the_first_few_are_named(client):
    client.force_login(make_superuser())
    charger = ChargerFactory()
    ChargerEvent.objects.bulk_create(
        ChargerEvent(charger=charger, kind=ChargerEventKind.FAULT, name=f"Earth{n}", at="2026-01-01T00:00:00Z")
        for n in range(100)
    )
    page = client.get(reverse("admin:infrastructure_charger_delete", args=[charger.pk])).content.decode()
    assert page.count("Earth") == deletion.NAMED
    assert "Charger events: 100" in page
    assert "and 95 more charger events" in page


def test_what_forbids_a_deletion_is_counted_too(client):
    client.force_login(make_superuser())
    operator = OperatorFactory(name="Volt")
    ChargerFactory.create_batch(8, location__operator=operator)
    page = client.get(reverse("admin:infrastructure_operator_delete", args=[operator.pk])).content.decode()
    assert "Volt cannot be deleted" in page and "and 3 more areas" in page
    assert Operator.objects.exists()


def test_more_rows_than_any_action_takes_are_not_deleted(client):
    client.force_login(make_superuser())
    area = ChargerFactory().location
    Charger.objects.bulk_create(Charger(location=area, identity=f"X{n}") for n in range(MOST))
    data = {"action": "delete_selected", "_selected_action": [area.chargers.first().pk], "select_across": "1"}
    page = client.post(reverse("admin:infrastructure_charger_changelist"), {**data, "post": "yes"}).content.decode()
    assert f"Choose at most {MOST} rows at once." in page
    assert Charger.objects.count() == MOST + 1
