"""Staff connect partners and look after what is sent to them."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from infrastructure import bulk_actions
from infrastructure.models import OperatorMembership, OutboxEvent
from infrastructure.secrets import decrypt
from roaming.choices import PlatformState, PushState
from roaming.models import Push, RoamingPlatform
from roaming.services import tokens
from tariffs.models import RoamingTariff
from tests.roaming.client import client_with
from tests.roaming.factories import (
    DocumentFactory,
    PlatformFactory,
    ProfileFactory,
    RegisteredPlatformFactory,
    make_operator,
    make_role,
)
from tests.roaming.peer import envelope

pytestmark = pytest.mark.django_db

INLINES = {f"{prefix}-{name}": "0" for prefix in ("roles", "endpoints") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}


def platform_form(**fields):
    values = {
        "name": "Nayax",
        "code": "nayax",
        "type": "PTP",
        "country": "NLD",
        "url": "https://ptp.example/versions",
        "initiation": "CPO",
        "encode_token": "on",
        "retail_factor": "1",
        "retail_surcharge": "0",
    }
    return {**INLINES, **values, **fields}


def change_url(platform):
    return reverse("admin:roaming_roamingplatform_change", args=[platform.pk])


def action_url(platform, name):
    return reverse(f"admin:roaming_roamingplatform_{name}", args=[platform.pk])


def errors_of(response):
    return str(response.context["adminform"].form.errors)


def test_a_platform_is_added_with_the_partners_token(admin_client):
    profile = ProfileFactory()
    form = platform_form(partner_token="token-a", profiles=[profile.pk])
    response = admin_client.post(reverse("admin:roaming_roamingplatform_add"), form)
    assert response.status_code == 302, errors_of(response)
    platform = RoamingPlatform.objects.get(code="nayax")
    assert decrypt(platform.registration_token_encrypted) == "token-a"
    assert list(platform.profiles.all()) == [profile]
    assert OutboxEvent.objects.filter(topic="platform", object_id=platform.pk).count() == 1
    assert "token-a" not in admin_client.get(change_url(platform)).content.decode()


def test_saving_without_a_token_keeps_the_one_stored(admin_client):
    platform = PlatformFactory(url="https://ptp.example/versions")
    tokens.store_partner_token(platform, "token-a")
    response = admin_client.post(change_url(platform), platform_form(name="Renamed"))
    assert response.status_code == 302, errors_of(response)
    platform.refresh_from_db()
    assert (platform.name, decrypt(platform.registration_token_encrypted)) == ("Renamed", "token-a")


def test_a_token_that_cannot_be_one_is_refused_at_its_field(admin_client):
    form = platform_form(partner_token="two words")
    response = admin_client.post(reverse("admin:roaming_roamingplatform_add"), form)
    assert "printable ASCII" in errors_of(response)
    assert not RoamingPlatform.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"retail_factor": "115"}, "enter 1.15 for 15 % more"),
        ({"retail_factor": "0"}, "greater than or equal to 0.0001"),
        ({"retail_surcharge": "-1"}, "greater than or equal to 0"),
        ({"retail_factor": "1.1", "type": "EMSP"}, "leave the factor 1 and the surcharge 0"),
    ],
)
def test_a_price_that_no_driver_can_be_meant_to_pay_is_refused_at_its_field(admin_client, fields, words):
    response = admin_client.post(reverse("admin:roaming_roamingplatform_add"), platform_form(**fields))
    assert words in errors_of(response)


def test_two_profiles_with_one_operator_are_refused_on_the_platform(admin_client):
    operator = make_operator()
    profiles = [ProfileFactory(name=name, operators=[operator]) for name in ("First", "Second")]
    form = platform_form(profiles=[profile.pk for profile in profiles])
    response = admin_client.post(reverse("admin:roaming_roamingplatform_add"), form)
    assert "An operator has at most one profile per platform" in errors_of(response)
    assert not RoamingPlatform.objects.exists()


def test_and_on_the_profile(admin_client):
    operator = make_operator()
    first = ProfileFactory(operators=[operator])
    second = ProfileFactory()
    PlatformFactory(profiles=[first, second])
    form = {
        "name": second.name,
        "code": second.code,
        "protocol": "OCPI",
        "country_code": "AT",
        "party_id": second.party_id,
        "operators": [operator.pk],
    }
    url = reverse("admin:roaming_roamingprofile_change", args=[second.pk])
    assert "at most one profile per platform" in errors_of(admin_client.post(url, form))
    assert not second.operators.exists()


def test_a_change_of_a_profile_is_told_to_its_platforms(admin_client):
    profile = ProfileFactory()
    platforms = [PlatformFactory(profiles=[profile]), PlatformFactory(profiles=[profile])]
    PlatformFactory()
    form = {
        "name": "Renamed",
        "code": profile.code,
        "protocol": "OCPI",
        "country_code": "AT",
        "party_id": profile.party_id,
    }
    url = reverse("admin:roaming_roamingprofile_change", args=[profile.pk])
    assert admin_client.post(url, form).status_code == 302
    told = OutboxEvent.objects.filter(topic="platform").values_list("object_id", flat=True)
    assert sorted(told) == sorted(platform.pk for platform in platforms)


def test_a_terminal_provider_gets_no_tariff_without_preauthorisation(admin_client):
    tariff = RoamingTariff.objects.create(name="Free", code="FREE")
    response = admin_client.post(reverse("admin:roaming_roamingplatform_add"), platform_form(tariffs=[tariff.pk]))
    assert "pre-authorisation" in errors_of(response)


def test_a_registered_platform_cannot_be_deleted(admin_client, platform):
    response = admin_client.get(reverse("admin:roaming_roamingplatform_delete", args=[platform.pk]))
    assert "Invalidate credentials" in response.content.decode()
    admin_client.post(reverse("admin:roaming_roamingplatform_delete", args=[platform.pk]), {"post": "yes"})
    assert RoamingPlatform.objects.filter(pk=platform.pk).exists()


def test_registration_from_admin_shows_its_steps(admin_client, peer):
    peer.accepted = {"token-a"}
    platform = PlatformFactory(url=peer.versions_url, profiles=[ProfileFactory()])
    tokens.store_partner_token(platform, "token-a")
    page = admin_client.get(action_url(platform, "register")).content.decode()
    assert "<form" in page and not peer.requests
    page = admin_client.post(action_url(platform, "register")).content.decode()
    assert "The partner offers OCPI 2.2.1" in page
    assert "Registered: Terminals BV (OTHER NL-PTP)." in page
    platform.refresh_from_db()
    assert platform.is_registered


def test_who_gives_the_token_is_chosen_in_the_words_of_the_trade(admin_client):
    page = admin_client.get(reverse("admin:roaming_roamingplatform_add")).content.decode()
    assert "I will use the token provided by my roaming partner" in page
    assert "I will provide a token to my roaming partner" in page


def test_a_failed_registration_is_readable_on_both_pages(admin_client, peer):
    peer.accepted = {"token-a"}
    peer.answers["POST", "/2.2.1/credentials"] = (200, envelope(None, 3001, "Cannot reach you"))
    platform = PlatformFactory(url=peer.versions_url, profiles=[ProfileFactory()])
    tokens.store_partner_token(platform, "token-a")
    page = admin_client.post(action_url(platform, "register")).content.decode()
    assert "Cannot reach you" in page
    assert "Correct what is wrong on the page of" in page
    assert "Cannot reach you" in admin_client.get(change_url(platform)).content.decode()


def test_update_and_invalidation_from_admin(admin_client, peer):
    peer.accepted = {"client-token", peer.handed_out}
    platform = RegisteredPlatformFactory(url=peer.versions_url, profiles=[ProfileFactory()])
    assert "Updated:" in admin_client.post(action_url(platform, "update")).content.decode()
    assert "deleted our registration" in admin_client.post(action_url(platform, "invalidate")).content.decode()
    platform.refresh_from_db()
    assert platform.state == PlatformState.INVALIDATED


def test_the_generated_token_is_shown_once_and_works(admin_client):
    platform = PlatformFactory()
    assert platform.registration_token_hash == ""
    admin_client.get(action_url(platform, "generate_token"))
    platform.refresh_from_db()
    assert platform.registration_token_hash == ""
    response = admin_client.post(action_url(platform, "generate_token"))
    page = response.content.decode()
    assert "http://testserver/ocpi/versions" in page
    assert "no-store" in response["Cache-Control"]
    [token] = re.findall(r"<code[^>]*>([\w-]{43})</code>", page)
    assert client_with(token).call("GET", "versions").status_code == 200
    assert token not in admin_client.get(change_url(platform)).content.decode()


def test_no_token_is_generated_for_a_registered_platform(admin_client, platform):
    assert "is registered" in admin_client.post(action_url(platform, "generate_token")).content.decode()


def test_the_change_page_shows_what_the_partner_said_of_itself(admin_client, platform):
    make_role(platform, "XYZ")
    platform.endpoints.create(identifier="cdrs", role="RECEIVER", url="https://ptp.example/cdrs")
    page = admin_client.get(change_url(platform)).content.decode()
    assert "XYZ" in page and "https://ptp.example/cdrs" in page


@pytest.mark.parametrize("model", ["roamingprofile", "roamingplatform", "push", "command", "document"])
def test_every_list_opens(admin_client, platform, model):
    DocumentFactory(platform=platform)
    Push.objects.create(platform=platform, module="locations", object_id="AT/PLG/L1", last_error="Refused")
    assert admin_client.get(reverse(f"admin:roaming_{model}_changelist")).status_code == 200


def make_push(platform, **fields):
    return Push.objects.create(platform=platform, module="locations", object_id="AT/PLG/L1", **fields)


def run_action(client, name, push):
    data = {"action": name, "_selected_action": [push.pk], "confirmed": "yes"}
    return client.post(reverse("admin:roaming_push_changelist"), data, follow=True)


def test_a_failed_push_is_queued_again(admin_client, platform):
    failed = make_push(platform, state=PushState.FAILED, needs_operator=True)
    run_action(admin_client, "send_again", failed)
    assert Push.objects.filter(state=PushState.PENDING).count() == 1


def test_a_push_can_be_discarded(admin_client, platform):
    waiting = make_push(platform, needs_operator=True)
    run_action(admin_client, "discard", waiting)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.needs_operator) == (PushState.DISCARDED, False)


def test_documents_are_made_anew_once_confirmed_and_not_without_bound(admin_client, platform, monkeypatch):
    rows = [DocumentFactory(platform=platform, object_id=name) for name in ("A", "B")]
    chosen = {"action": "render_again", "_selected_action": [row.pk for row in rows]}
    url = reverse("admin:roaming_document_changelist")
    OutboxEvent.objects.all().delete()
    assert "what is sound now goes out" in admin_client.post(url, chosen).content.decode()
    assert not OutboxEvent.objects.exists()
    monkeypatch.setattr(bulk_actions, "MOST", 1)
    page = admin_client.post(url, chosen | {"confirmed": "yes"}, follow=True).content.decode()
    assert "Choose at most 1 rows at once." in page and not OutboxEvent.objects.exists()
    monkeypatch.undo()
    admin_client.post(url, chosen | {"confirmed": "yes"})
    assert OutboxEvent.objects.filter(topic="location").exists()


@pytest.fixture
def clerk(client, db):
    """Staff of operator "Mine" with the permissions of roaming."""
    user = User.objects.create_user("clerk", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="roaming"))
    OperatorMembership.objects.create(user=user, operator=make_operator("Mine"))
    client.force_login(user)
    return client


def test_staff_see_the_platforms_of_their_operators_only(clerk):
    mine = ProfileFactory(operators=[OperatorMembership.objects.get().operator])
    theirs = ProfileFactory(operators=[make_operator("Theirs")])
    visible = PlatformFactory(profiles=[mine])
    hidden = PlatformFactory(profiles=[theirs])
    assert clerk.get(change_url(visible)).status_code == 200
    assert clerk.get(change_url(hidden)).status_code == 302
    assert clerk.post(action_url(hidden, "generate_token")).status_code == 404
    hidden.refresh_from_db()
    assert hidden.registration_token_hash == ""


def test_saving_does_not_take_away_profiles_that_staff_cannot_see(clerk):
    mine = ProfileFactory(operators=[OperatorMembership.objects.get().operator])
    theirs = ProfileFactory(operators=[make_operator("Theirs")])
    platform = PlatformFactory(profiles=[mine, theirs])
    response = clerk.post(change_url(platform), platform_form(profiles=[mine.pk]))
    assert response.status_code == 302, errors_of(response)
    assert set(platform.profiles.all()) == {mine, theirs}


def test_actions_need_the_permission_to_change(client, platform):
    user = User.objects.create_user("viewer", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_roamingplatform", "view_push"]))
    operator = make_operator()
    platform.profiles.get().operators.add(operator)
    OperatorMembership.objects.create(user=user, operator=operator)
    client.force_login(user)
    assert client.get(change_url(platform)).status_code == 200
    assert client.post(action_url(platform, "invalidate")).status_code == 403
    waiting = make_push(platform)
    run_action(client, "discard", waiting)
    waiting.refresh_from_db()
    assert waiting.state == PushState.PENDING
    platform.refresh_from_db()
    assert platform.is_registered
