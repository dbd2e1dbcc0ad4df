"""Every page of admin opens with the demo's data, and for those it is meant for."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from chargers.models import ChargerMessage
from chargers.services.lifecycle import connected
from config.demo import data
from infrastructure.models import Location, OperatorMembership, OutboxEvent, Site
from roaming.models import Push, RoamingPlatform
from tests.infrastructure.factories import OperatorFactory, SiteFactory, make_staff, make_superuser
from tests.tariffs.factories import TariffFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(client):
    demo = data.create()
    client.force_login(get_user_model().objects.get(username=data.ADMIN_USER))
    return demo


def pages(request):
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        if model_admin.has_add_permission(request):
            yield reverse(f"{name}_add")
        row = model._default_manager.first()
        if row is not None:
            yield reverse(f"{name}_change", args=[row.pk])


def test_every_page_opens(client, demo):
    request = client.get(reverse("admin:index")).wsgi_request
    opened = {address: client.get(address, follow=True).status_code for address in pages(request)}
    assert len(opened) > 40
    assert set(opened.values()) == {200}, opened


def test_every_sidebar_link_opens(client, demo):
    navigation = client.get(reverse("admin:index")).context["sidebar_navigation"]
    links = [str(item["link"]) for group in navigation for item in group["items"]]
    assert len(links) > 20
    assert {client.get(link, follow=True).status_code for link in links} == {200}


def test_every_sidebar_link_of_a_member_of_staff_opens(client, demo):
    client.force_login(make_staff("ada", demo.chargers[0].charger.location.operator))
    navigation = client.get(reverse("admin:index")).context["sidebar_navigation"]
    links = [str(item["link"]) for group in navigation for item in group["items"] if item["has_permission"]]
    assert reverse("admin:infrastructure_outboxevent_changelist") not in links
    assert {client.get(link, follow=True).status_code for link in links} == {200}


@pytest.mark.parametrize("name", ["infrastructure_outboxevent", "auth_user", "django_celery_beat_periodictask"])
def test_what_belongs_to_the_installation_is_for_superusers(client, demo, name):
    client.force_login(make_staff("ada", demo.chargers[0].charger.location.operator))
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_first_steps_begin_with_the_site(client):
    client.force_login(make_superuser())
    page = client.get(reverse("admin:index"))
    assert page.context["next_step"].title == "Site"
    assert page.context["next_step"].url == reverse("admin:infrastructure_site_add")
    SiteFactory()
    assert client.get(reverse("admin:index")).context["next_step"].title == "Operator"


def test_a_step_that_is_half_done_says_what_is_lacking_and_leads_there(client):
    client.force_login(make_superuser())
    OperatorFactory()
    TariffFactory()
    steps = {step.title: step for step in client.get(reverse("admin:index")).context["steps"]}
    assert not steps["Operator"].is_done and "seller's address" in steps["Operator"].text
    assert steps["Tariff active"].url == reverse("admin:tariffs_sessionsettings_changelist")


def test_first_steps_of_the_demo_wait_for_chargers_and_partner(client, demo):
    page = client.get(reverse("admin:index"))
    waiting = [step.title for step in page.context["steps"] if not step.is_done]
    assert waiting == ["Charger connected", "Platform registered", "Terminal assigned", "First paid session"]
    connected(demo.chargers[0].charger.pk, "channel", "ocpp1.6")
    assert client.get(reverse("admin:index")).context["next_step"].title == "Platform registered"


def test_numbers_lead_to_lists_of_as_many_rows(client, demo):
    Push.objects.create(platform=RoamingPlatform.objects.get(), module="cdrs", object_id="1", needs_operator=True)
    OutboxEvent.objects.create(topic="location", object_id=1, attempts=3, last_error="boom")
    numbers = {number.title: number for number in client.get(reverse("admin:index")).context["attention"]}
    assert set(numbers) == {"Messages need a decision", "Chargers offline", "Work that failed inside"}
    for number in numbers.values():
        assert client.get(number.url).context["cl"].result_count == number.count


def test_a_user_is_added_and_gets_a_password(client):
    client.force_login(make_superuser())
    fields = {"username": "ada", "usable_password": "true", "password1": "quite-long-1", "password2": "quite-long-1"}
    inline = {"operator_memberships-TOTAL_FORMS": 0, "operator_memberships-INITIAL_FORMS": 0}
    assert client.post(reverse("admin:auth_user_add"), fields | inline).status_code == 302
    ada = get_user_model().objects.get(username="ada")
    page = client.get(reverse("admin:auth_user_change", args=[ada.pk])).content.decode()
    assert "../password/" in page
    assert client.get(reverse("admin:auth_user_password_change", args=[ada.pk])).status_code == 200


def test_a_user_is_made_a_member_of_an_operator(client, demo):
    ada = get_user_model().objects.create_user("ada", is_staff=True)
    operator = demo.chargers[0].charger.location.operator
    OperatorMembership.objects.create(user=ada, operator=operator)
    assert "Volt &amp; Co" in client.get(reverse("admin:auth_user_change", args=[ada.pk])).content.decode()


def test_no_autocomplete_gives_its_choices_in_a_random_order(client, demo):
    request = client.get(reverse("admin:index")).wsgi_request
    unordered = [
        model.__name__
        for model, model_admin in admin.site._registry.items()
        if model_admin.search_fields and not model_admin.get_queryset(request).ordered
    ]
    assert not unordered


def test_times_are_shown_in_the_zone_of_the_site(client, demo):
    Site.objects.update(time_zone="Asia/Tokyo")
    row = OutboxEvent.objects.create(topic="location", object_id=1, created_at=datetime(2026, 1, 2, 20, tzinfo=UTC))
    page = client.get(reverse("admin:infrastructure_outboxevent_change", args=[row.pk])).content.decode()
    assert "2026-01-03 05:00:00 JST" in page
    assert str(timezone.get_current_timezone()) == "UTC"


def test_what_happened_at_a_charger_is_told_on_the_clock_of_its_area(client, demo):
    charger = demo.chargers[0].charger
    Location.objects.filter(pk=charger.location_id).update(time_zone="Asia/Tokyo")
    at = datetime(2026, 1, 2, 20, 0, 0, 120000, tzinfo=UTC)
    row = ChargerMessage.objects.create(charger=charger, direction="IN", kind="CALL", frame="[]", at=at, size=2)
    for address in ("changelist", "change"):
        args = [row.pk] if address == "change" else []
        page = client.get(reverse(f"admin:chargers_chargermessage_{address}", args=args)).content.decode()
        assert 'title="2026-01-02 20:00:00.120 UTC">2026-01-03 05:00:00.120 JST</time>' in page


def test_json_is_shown_to_be_read(client, demo):
    platform = RoamingPlatform.objects.get()
    push = Push.objects.create(platform=platform, module="cdrs", object_id="1", body={"remark": "Straße <b>"})
    page = client.get(reverse("admin:roaming_push_change", args=[push.pk])).content.decode()
    assert "{\n  &quot;remark&quot;: &quot;Straße &lt;b&gt;&quot;\n}" in page


@pytest.mark.parametrize(("address", "link"), [("/admin/nowhere/", True), ("/nowhere", False)])
def test_an_unknown_address_is_answered_in_plain_words(client, address, link):
    client.force_login(make_superuser())
    answer = client.get(address)
    page = answer.content.decode()
    assert answer.status_code == 404 and "There is nothing at this address" in page
    assert ('href="/admin/"' in page) == link


def test_a_failure_is_answered_in_plain_words(client, monkeypatch):
    def fail(request):
        raise RuntimeError("secret")

    client.raise_request_exception = False
    client.force_login(make_superuser())
    monkeypatch.setattr("config.desk.home._now", fail)
    answer = client.get(reverse("admin:index"))
    page = answer.content.decode()
    assert answer.status_code == 500 and "Something went wrong on our side" in page and "secret" not in page


def test_the_icon_is_found_where_browsers_look(client):
    assert client.get("/favicon.ico").url == "/static/config/favicon.svg"
