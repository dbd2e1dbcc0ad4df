"""A list without rows says what to do next."""

import pytest
from django.contrib import admin
from django.urls import reverse

from config.desk.empty import LISTS
from tests.infrastructure.factories import SiteFactory, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief(client):
    SiteFactory()
    client.force_login(make_superuser())
    return client


def test_every_list_has_words_for_having_no_rows():
    """All but the audit trail, a page of its own."""
    assert {*LISTS, "infrastructure.Act"} == {model._meta.label for model in admin.site._registry}


def test_every_list_without_rows_says_what_to_do(chief):
    shown = set()
    for label, empty in LISTS.items():
        address = reverse(f"admin:{label.lower().replace('.', '_')}_changelist")
        response = chief.get(address)
        if "cl" in (response.context or ()) and not response.context["cl"].result_count:
            page = response.content.decode()
            assert str(empty.text).replace("'", "&#x27;") in page, label
            assert not empty.link or f'href="{reverse(empty.link)}"' in page, label
            shown.add(label)
    assert len(shown) > 30


def test_a_search_that_finds_nothing_leads_back_to_all_rows(chief):
    page = chief.get(reverse("admin:chargers_chargingsession_changelist"), {"q": "nowhere"}).content.decode()
    assert "Nothing matches" in page
    assert "Nothing here yet" not in page


def test_a_phone_has_a_button_for_the_search_of_everything(chief):
    page = chief.get(reverse("admin:index")).content.decode()
    assert "$dispatch('opencommand')\">" in page.split("<main", 1)[0]
    assert page.count('title="Search" aria-label="Search"') == 1
