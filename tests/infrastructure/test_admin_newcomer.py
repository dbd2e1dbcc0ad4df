"""What admin says to somebody who has just installed Plugtill, or who pastes what a map says."""

from decimal import Decimal

import pytest
from django.urls import reverse

from infrastructure.models import EVSE, Charger, Location, Operator
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    EVSEFactory,
    LocationFactory,
    OperatorFactory,
    SiteFactory,
    make_staff,
    make_superuser,
)
from tests.infrastructure.test_admin import errors, submit, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(make_superuser())
    return client


@pytest.mark.parametrize("name", ["infrastructure_operator", "infrastructure_location", "tariffs_roamingtariff"])
def test_before_the_site_nothing_can_be_added_and_the_page_says_so(root, name):
    answer = root.get(reverse(f"admin:{name}_add"), follow=True)
    assert answer.redirect_chain[0][0] == reverse("admin:infrastructure_site_add")
    assert "first: it gives time zone and currency" in answer.content.decode()
    assert root.post(reverse(f"admin:{name}_add"), {"name": "x"}).status_code == 302
    assert not Operator.objects.exists()


def test_who_adds_an_operator_sees_it(client):
    SiteFactory()
    ada = make_staff("ada")
    client.force_login(ada)
    assert submit(client, url(Operator, "add"), name="Volt").status_code == 302
    volt = Operator.objects.get()
    assert [one.user for one in volt.memberships.all()] == [ada]
    assert client.get(url(volt)).status_code == 200


def test_a_superuser_who_adds_an_operator_needs_no_membership(root):
    SiteFactory()
    submit(root, url(Operator, "add"), name="Volt")
    assert not Operator.objects.get().memberships.exists()


def test_an_area_page_reads_a_constant_number_of_rows(root, django_assert_max_num_queries):
    area = LocationFactory()

    def add(chargers):
        for _ in range(chargers):
            ConnectorFactory(evse=EVSEFactory(charger=ChargerFactory(location=area)))

    add(1)
    root.get(url(area))
    add(12)
    with django_assert_max_num_queries(17):
        assert root.get(url(area)).status_code == 200


def test_pasted_coordinates_are_rounded(root):
    area = LocationFactory()
    assert submit(root, url(area), latitude="48.2084901234567", longitude="-16.3720806").status_code == 302
    area.refresh_from_db()
    assert (area.latitude, area.longitude) == (Decimal("48.208490"), Decimal("-16.372081"))


@pytest.mark.parametrize(("field", "value"), [("latitude", "90.1"), ("longitude", "-180.5"), ("latitude", "5000")])
def test_coordinates_outside_the_earth_are_refused(root, field, value):
    answer = submit(root, url(LocationFactory()), **{field: value})
    assert "degrees" in errors(answer) or "digits" in errors(answer)


def test_an_evse_has_both_coordinates_or_none(root):
    answer = submit(root, url(EVSEFactory()), latitude="48.2")
    assert "Enter both latitude and longitude" in errors(answer)


def test_the_page_of_an_evse_shows_the_uid_that_partners_see(root):
    evse = EVSEFactory(charger__roaming_id="HQ-1", number=2)
    assert "HQ-1-2" in root.get(url(evse)).content.decode()


def test_what_uses_an_operator_stands_on_the_page_that_would_delete_it(root):
    operator = OperatorFactory(name="Volt")
    LocationFactory(operator=operator, name="Garage")
    page = root.get(url(operator, "delete")).content.decode()
    assert "Volt cannot be deleted" in page and "Garage" in page
    assert Location.objects.exists()


def test_a_new_row_with_all_that_it_proposes_is_kept(root):
    evse = EVSEFactory()
    [inline] = root.get(url(evse)).context["inline_admin_formsets"]
    proposed = {f"connectors-0-{name}": value for name, value in proposals(inline.formset.empty_form).items()}
    assert submit(root, url(evse), **{"connectors-TOTAL_FORMS": "1", **proposed}).status_code == 302
    assert evse.connectors.get().standard == "IEC_62196_T2"


def test_a_new_row_that_lacks_something_is_not_dropped_without_a_word(root):
    area = LocationFactory()
    answer = submit(root, url(area), **{"chargers-TOTAL_FORMS": "1", "chargers-0-location": area.pk})
    assert "required" in errors(answer)


def proposals(form):
    return {bound.name: "" if bound.value() is None else bound.value() for bound in form if bound.name != "DELETE"}


def test_coordinates_off_the_earth_are_told_as_degrees_not_as_digits(root):
    answer = submit(root, url(LocationFactory()), latitude="148.2")
    assert "digits" not in errors(answer) and "90" in errors(answer)


@pytest.mark.parametrize("code", ["country", "currency"])
def test_no_browser_shortens_a_code_to_that_of_another_country(root, code):
    SiteFactory()
    assert "maxlength" not in root.get(url(Operator, "add")).context["adminform"].form.fields[code].widget.attrs


@pytest.mark.parametrize("factory", [ChargerFactory, EVSEFactory, ConnectorFactory])
def test_a_list_says_why_a_row_is_not_ready(root, factory):
    row = factory()
    charger = row if isinstance(row, Charger) else row.charger if isinstance(row, EVSE) else row.evse.charger
    Charger.objects.filter(pk=charger.pk).update(roaming=False)
    page = root.get(url(type(row), "changelist")).content.decode()
    assert f"Charger {charger} is not enabled for roaming." in page


def test_the_only_operator_needs_not_be_chosen_for_an_area(root):
    only = OperatorFactory()
    assert root.get(url(Location, "add")).context["adminform"].form["operator"].value() == only.pk
    OperatorFactory()
    assert root.get(url(Location, "add")).context["adminform"].form["operator"].value() is None
