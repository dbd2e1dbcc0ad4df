"""A person's own filters of a list."""

import pytest
from django.urls import reverse

from infrastructure.models import SavedFilter
from infrastructure.saved_filters import MOST
from tests.infrastructure.factories import OperatorFactory, SiteFactory, make_staff, make_superuser

pytestmark = pytest.mark.django_db

SESSIONS = reverse("admin:chargers_chargingsession_changelist")
RUNNING = f"{SESSIONS}?status__exact=ACTIVE&q=pp-1"


@pytest.fixture
def desk(client):
    SiteFactory()
    client.force_login(make_superuser())
    return client


def save(client, name, address=RUNNING):
    return client.post(address, {"name": name, "save_filter": "1"}, follow=True)


def page(client, address=SESSIONS):
    return client.get(address).content.decode()


def test_a_filter_is_offered_only_where_there_is_something_to_save(desk):
    assert "Save this filter" not in page(desk)
    assert "Save this filter" in page(desk, RUNNING)


def test_a_saved_filter_stands_above_its_list_as_an_address_to_share(desk):
    response = save(desk, "Running at PP")
    assert "The filter Running at PP is saved." in response.content.decode()
    assert 'href="?q=pp-1&amp;status__exact=ACTIVE"' in page(desk)
    assert "Running at PP" not in page(desk, reverse("admin:chargers_cdr_changelist"))
    assert 'aria-current="page"' in page(desk, f"{SESSIONS}?q=pp-1&status__exact=ACTIVE&p=1")


def test_the_same_name_replaces_the_filter(desk):
    save(desk, "Mine")
    save(desk, "Mine", f"{SESSIONS}?q=other")
    assert [row.query for row in SavedFilter.objects.all()] == ["q=other"]


def test_a_filter_is_seen_and_removed_by_its_owner_alone(desk):
    save(desk, "Mine")
    mine = SavedFilter.objects.get()
    desk.force_login(make_staff("ada", OperatorFactory()))
    assert ">Mine<" not in page(desk)
    desk.post(SESSIONS, {"remove_filter": mine.pk})
    assert SavedFilter.objects.exists()
    desk.force_login(mine.user)
    desk.post(SESSIONS, {"remove_filter": mine.pk})
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize(
    ("name", "address"), [("", RUNNING), ("x" * 61, RUNNING), ("All", SESSIONS), ("Long", f"{SESSIONS}?q={'x' * 2001}")]
)
def test_what_cannot_be_saved_is_told(desk, name, address):
    assert "Give the filter a name" in save(desk, name, address).content.decode()
    assert not SavedFilter.objects.exists()


def test_nobody_piles_up_filters_without_end(desk):
    for number in range(MOST):
        save(desk, f"Filter {number}")
    assert "Remove one of your" in save(desk, "One more").content.decode()
    assert SavedFilter.objects.count() == MOST


@pytest.mark.parametrize("chosen", ["", "x", "9" * 30, "-1"])
def test_a_remove_that_names_nothing_changes_nothing(desk, chosen):
    save(desk, "Mine")
    assert desk.post(SESSIONS, {"remove_filter": chosen}).status_code == 302
    assert SavedFilter.objects.exists()


def test_who_may_not_see_a_list_keeps_no_filters_of_it(desk):
    ada = make_staff("ada", OperatorFactory())
    ada.groups.clear()
    ada.user_permissions.clear()
    desk.force_login(ada)
    assert desk.post(RUNNING, {"name": "Mine", "save_filter": "1"}).status_code == 403
    assert not SavedFilter.objects.exists()
