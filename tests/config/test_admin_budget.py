"""Pages ask the database as often with twice as many rows, and every field says what belongs in it."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks import admin_seed
from benchmarks.admin import MOST_QUERIES, NO_PAGE, addresses
from infrastructure.models import Site
from tests.infrastructure.factories import SiteFactory, make_superuser

pytestmark = pytest.mark.django_db
OURS = {"infrastructure", "tariffs", "chargers", "roaming", "payments"}


def lists():
    return {
        model._meta.label: reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
        if model._meta.app_label in OURS and model._meta.model_name != "site"
    }


def pages():
    """The newest row of each list."""
    found = {}
    for label, address in lists().items():
        row = apps.get_model(label)._default_manager.order_by("pk").last()
        if row is not None:
            found[f"page of {label}"] = f"{address}{row.pk}/change/"
    return found


def counted(client, connectors, sessions, *, searched):
    """Queries of each page of the benchmark in an installation of that size, which is gone afterwards."""
    with transaction.atomic():
        admin_seed.seed(connectors, sessions)
        client.force_login(get_user_model().objects.get())
        # What a process asks once in its life counts neither here nor there.
        ContentType.objects.get_for_models(*apps.get_models())
        counts = {}
        for address in addresses():
            if "?" in address and not searched:
                continue
            with CaptureQueriesContext(connection) as captured:
                status = client.get(address).status_code
            if status not in NO_PAGE:
                assert status == 200, address
                counts[re.sub(r"\d+", "1", address)] = len(captured)
        transaction.set_rollback(True)
    return counts


def test_no_page_needs_25_queries_nor_more_of_them_for_more_rows(client):
    few, many = counted(client, 80, 100, searched=False), counted(client, 160, 200, searched=True)
    assert len(few) > 150
    assert {address: (count, many[address]) for address, count in few.items() if count != many[address]} == {}
    assert {address: count for address, count in many.items() if count >= MOST_QUERIES} == {}


@pytest.mark.any_database
def test_every_moment_is_on_a_local_clock_with_utc_behind_it(client):
    """What stands outside `<time>`, less what is typed, what partners and chargers said, and what was written down."""
    admin_seed.seed(40, 50)
    Site.objects.update(time_zone="Asia/Tokyo")
    client.force_login(get_user_model().objects.get())
    bare = {}
    for label, address in (lists() | pages()).items():
        page = client.get(address).content.decode()
        read = re.sub(r"<(time|pre|script|textarea|option)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
        found = re.findall(r"\d{4}-\d\d-\d\d.{0,8}|\S+ [ap]\.m\.|.{0,30}\bUTC\b", read)
        if found:
            bare[label] = found[:3]
    assert bare == {}


def forms(request):
    for model, page in admin.site._registry.items():
        if model._meta.app_label not in OURS:
            continue
        if page.has_add_permission(request) or page.has_change_permission(request):
            yield model, page.get_form(request).base_fields
            for inline in page.get_inline_instances(request):
                if inline.has_add_permission(request, None) or inline.has_change_permission(request):
                    fields = inline.get_formset(request).form.base_fields
                    foreign_key = inline.get_formset(request).fk.name
                    yield inline.model, {name: field for name, field in fields.items() if name != foreign_key}


@pytest.mark.any_database
def test_every_editable_field_says_what_belongs_in_it(client):
    SiteFactory()
    client.force_login(make_superuser())
    request = client.get(reverse("admin:index")).wsgi_request
    silent = {
        f"{model._meta.label}.{name}"
        for model, fields in forms(request)
        for name, field in fields.items()
        if not field.help_text and name != "DELETE"
    }
    assert silent == set()
