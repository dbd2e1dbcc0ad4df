from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from infrastructure import panels
from infrastructure.models import EVSE, Charger, Connector, Location, Operator, OutboxEvent, Site
from infrastructure.services import masterdata
from tests.infrastructure.factories import (
    ChargerFactory,
    ConnectorFactory,
    EVSEFactory,
    LocationFactory,
    OperatorFactory,
    SiteFactory,
    events,
    make_staff,
    make_superuser,
)
from tests.infrastructure.forms import form_data

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(make_superuser())
    return client


def url(row_or_model, page="change"):
    meta = row_or_model._meta
    args = [row_or_model.pk] if page in ("change", "delete") else []
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def submit(client, address, **changes):
    """Posts the page's own form with some fields changed; the answer is a redirect when it was saved."""
    data = form_data(client.get(address))
    return client.post(address, {**data, **changes})


def errors(response):
    """All error texts of a page that was refused."""
    assert response.status_code == 200
    form = response.context["adminform"].form
    texts = [str(e) for errors in form.errors.values() for e in errors]
    for inline in response.context["inline_admin_formsets"]:
        texts += [str(e) for e in inline.formset.non_form_errors()]
        texts += [str(e) for row in inline.formset.errors for errors in row.values() for e in errors]
    return " ".join(texts)


@pytest.mark.parametrize("factory", [LocationFactory, ChargerFactory, EVSEFactory, ConnectorFactory, OperatorFactory])
def test_every_page_opens(root, factory):
    row = factory()
    for address in (url(row), url(type(row), "add"), url(type(row), "changelist")):
        assert root.get(address).status_code == 200


def test_edit_is_told(root):
    location = LocationFactory()
    assert submit(root, url(location), city="Graz").status_code == 302
    assert Location.objects.get().city == "Graz"
    assert events() == [("location", location.pk)]


def test_edit_of_the_operator_tells_of_its_areas(root):
    location = LocationFactory()
    assert submit(root, url(location.operator), phone="+43 9").status_code == 302
    assert events() == [("location", location.pk)]


def test_inline_edit_is_told(root):
    connector = ConnectorFactory()
    answer = submit(root, url(connector.evse), **{"connectors-0-max_amperage": "16"})
    assert answer.status_code == 302
    assert Connector.objects.get().max_amperage == 16
    assert events() == [("location", connector.evse.charger.location_id)]


def test_inline_deletion_is_told(root):
    connector = ConnectorFactory()
    assert submit(root, url(connector.evse), **{"connectors-0-DELETE": "on"}).status_code == 302
    assert not Connector.objects.exists()
    assert events() == [("location", connector.evse.charger.location_id)]


def test_inline_addition_is_told(root):
    charger = ChargerFactory()
    data = form_data(root.get(url(charger)))
    data |= {
        "evses-TOTAL_FORMS": "1",
        "evses-0-number": "1",
        "evses-0-evse_id": "AT*PLG*E9",
        "evses-0-charger": charger.pk,
    }
    assert root.post(url(charger), data).status_code == 302
    assert EVSE.objects.get().evse_id == "AT*PLG*E9"
    assert events() == [("location", charger.location_id)]


def test_deletion_is_told(root):
    charger = ChargerFactory()
    assert root.post(url(charger, "delete"), {"post": "yes"}).status_code == 302
    assert not Charger.objects.exists()
    assert events() == [("location", charger.location_id)]


def test_deletion_from_the_list_is_told(root):
    first, second = ChargerFactory(), ChargerFactory()
    data = {"action": "delete_selected", "_selected_action": [first.pk, second.pk], "post": "yes"}
    assert root.post(url(Charger, "changelist"), data).status_code == 302
    assert not Charger.objects.exists()
    assert sorted(events()) == [("location", first.location_id), ("location", second.location_id)]


def test_exposed_id_is_refused_on_the_form_with_the_reason(root):
    location = LocationFactory(roaming_id="HQ", first_exposed_at=datetime(2026, 1, 2, tzinfo=UTC))
    answer = submit(root, url(location), roaming_id="NEW")
    assert "Partners know this area as HQ since 2026-01-02" in errors(answer)
    assert events() == []


def test_exposed_id_is_refused_in_an_inline_too(root):
    evse = EVSEFactory(uid="U-1", first_exposed_at=datetime(2026, 1, 2, tzinfo=UTC))
    answer = submit(root, url(evse.charger), **{"evses-0-uid": "U-2"})
    assert "as U-1 since 2026-01-02" in errors(answer)


def test_two_new_inline_rows_with_one_number_are_refused(root):
    charger = ChargerFactory()
    data = form_data(root.get(url(charger)))
    rows = {f"evses-{i}-{name}": value for i in (0, 1) for name, value in (("number", "1"), ("charger", charger.pk))}
    changed = {"evses-0-evse_id": "AT*PLG*E1", "evses-1-evse_id": "AT*PLG*E2", "evses-TOTAL_FORMS": "2"}
    answer = root.post(url(charger), {**data, **rows, **changed})
    assert "Two rows have the same number" in errors(answer)


def test_guarded_deletion_is_explained(root, monkeypatch):
    def refuse(obj):
        raise ValidationError("A car is charging here.")

    for model in (Charger, Connector):
        monkeypatch.setitem(masterdata._delete_checks, model, [refuse])
    connector = ConnectorFactory()
    answer = submit(root, url(connector.evse), **{"connectors-0-DELETE": "on"})
    assert "A car is charging here." in errors(answer)
    charger = connector.evse.charger
    assert "A car is charging here." in root.post(url(charger, "delete"), {"post": "yes"}).content.decode()
    assert Charger.objects.exists()


def test_refusal_that_no_form_foresaw_becomes_a_message(root, monkeypatch):
    def refuse(location):
        raise ValidationError("Somebody was faster.")

    location = LocationFactory(city="Wien")
    monkeypatch.setitem(masterdata._followers, Location, [refuse])
    answer = root.post(url(location), {**form_data(root.get(url(location))), "city": "Graz"}, follow=True)
    texts = [str(message) for message in answer.context["messages"]]
    assert texts == ["Somebody was faster."]
    assert Location.objects.get().city == "Wien"
    assert events() == []


def test_choice_lists_are_kept_as_lists(root):
    location = LocationFactory()
    assert submit(root, url(location), facilities=["CAFE", "WIFI"]).status_code == 302
    assert Location.objects.get().facilities == ["CAFE", "WIFI"]


def test_emptied_json_boxes_are_empty_lists_or_null(root):
    location = LocationFactory(
        directions=[{"language": "en", "text": "Behind"}], opening_times={"twentyfourseven": True}
    )
    assert submit(root, url(location), directions="", opening_times="").status_code == 302
    location.refresh_from_db()
    assert (location.directions, location.opening_times) == ([], None)
    assert "Enter a valid JSON" in errors(submit(root, url(location), directions="[{"))


@pytest.fixture
def two(client):
    """One connector of each of two operators; the client belongs to the first."""
    mine = ConnectorFactory(evse__charger__location__name="Mine")
    other = ConnectorFactory(evse__charger__location__name="Other")
    client.force_login(make_staff("ada", mine.evse.charger.location.operator))
    return mine, other


def chain(connector):
    evse = connector.evse
    return [connector, evse, evse.charger, evse.charger.location, evse.charger.location.operator]


def test_lists_show_own_rows_only(client, two):
    for mine, other in zip(*map(chain, two), strict=True):
        rows = list(client.get(url(type(mine), "changelist")).context["cl"].result_list)
        assert mine in rows and other not in rows


def test_pages_of_others_are_not_found(client, two):
    for row in chain(two[1]):
        for page in ("change", "delete"):
            answer = client.get(url(row, page))
            assert (answer.status_code, answer.url) == (302, reverse("admin:index"))
        assert client.post(url(row, "delete"), {"post": "yes"}).status_code == 302
        assert type(row).objects.filter(pk=row.pk).exists()


def test_rows_of_others_cannot_be_chosen(client, two):
    mine, other = (connector.evse.charger for connector in two)
    answer = submit(client, url(mine), location=other.location_id)
    assert "Select a valid choice" in errors(answer)


def test_filters_name_own_rows_only(client, two):
    page = client.get(url(Charger, "changelist")).content.decode()
    assert "Mine" in page and "Other" not in page


def test_area_list_says_what_matters_in_a_constant_number_of_queries(root, django_assert_max_num_queries):
    def fill(areas):
        for _ in range(areas):
            location = LocationFactory()
            for _ in range(2):
                charger = ChargerFactory(location=location, roaming=False)
                for number in (1, 2):
                    # What is missing is told with the names of what is above it.
                    ConnectorFactory(evse=EVSEFactory(charger=charger, number=number, evse_id=""), roaming_id="")

    fill(1)
    page = root.get(url(Location, "changelist"))  # fills caches of content types and permissions
    assert "4 unknown" in page.content.decode()
    fill(6)
    with django_assert_max_num_queries(13):
        assert len(root.get(url(Location, "changelist")).context["cl"].result_list) == 7


def test_area_page_lists_what_is_missing(root):
    charger = ChargerFactory(roaming=False, identity="CP-1")
    page = root.get(url(charger.location)).content.decode()
    assert "Charger CP-1 is not enabled for roaming." in page
    assert "Charger CP-1 has no EVSEs." in page


def test_there_is_one_site(root):
    assert root.get(url(Site, "add")).status_code == 200
    site = SiteFactory()
    assert root.get(url(Site, "add")).status_code == 403
    assert root.get(url(Site, "changelist")).url == url(site)
    assert root.get(url(site, "delete")).status_code == 403


def test_panels_of_other_apps_are_shown_and_escaped(root, monkeypatch):
    monkeypatch.setitem(panels._panels, Location, [lambda location, request: [("Terminals", f"<b>{location.name}")]])
    page = root.get(url(LocationFactory(name="HQ"))).content.decode()
    assert "Terminals" in page and "&lt;b&gt;HQ" in page


def test_outbox_is_read_only_and_shows_what_waits_first(root):
    waiting = OutboxEvent.objects.create(topic="location", object_id=1)
    done = OutboxEvent.objects.create(topic="location", object_id=2, processed_at=datetime(2026, 1, 1, tzinfo=UTC))
    page = root.get(url(OutboxEvent, "changelist"))
    assert list(page.context["cl"].result_list) == [waiting, done]
    assert root.get(url(OutboxEvent, "add")).status_code == 403
    assert root.post(url(waiting), {"topic": "x"}).status_code == 403
    assert root.post(url(waiting, "delete"), {"post": "yes"}).status_code == 403


def test_new_operator_belongs_to_the_site(root):
    SiteFactory()
    assert submit(root, url(Operator, "add"), name="Volt").status_code == 302
    assert Operator.objects.get().site_id == 1
