"""A platform that serves operators of several companies: staff of one see and do nothing that concerns the other."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from chargers.models import ChargingSession
from infrastructure import access
from roaming.choices import CommandResponseType, CommandType, Direction, Module, PushState
from roaming.models import Command, Document, Message, ProfileRequest, Pull, Push, RoamingPlatform
from tests.infrastructure.factories import ConnectorFactory, OperatorFactory, make_staff, make_superuser
from tests.roaming.factories import DocumentFactory, ProfileFactory, RegisteredPlatformFactory, message_row
from tests.roaming.test_roaming_admin import platform_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def operators():
    return OperatorFactory(), OperatorFactory()


@pytest.fixture
def shared(operators):
    return RegisteredPlatformFactory(profiles=[ProfileFactory(operators=[operator]) for operator in operators])


@pytest.fixture
def own(operators):
    return RegisteredPlatformFactory(profiles=[ProfileFactory(operators=[operators[0]])])


@pytest.fixture
def ada(operators, client):
    user = make_staff("ada", operators[0])
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["roaming", "infrastructure"]))
    client.force_login(user)
    return user


def rows_of(platform):
    DocumentFactory(platform=platform, module=Module.CDRS)
    Push.objects.create(platform=platform, module=Module.CDRS, object_id="AT/PLG/C1", needs_operator=True)
    Pull.objects.create(platform=platform, source="tokens")
    message_row(platform=platform, direction=Direction.OUT)


@pytest.mark.parametrize("model", [Document, Push, Pull, Message])
def test_what_may_be_of_others_is_seen_only_where_all_operators_are_ones_own(ada, operators, shared, own, model):
    rows_of(shared)
    rows_of(own)
    assert [row.platform for row in access.scope(model.objects.all(), ada)] == [own]
    both = make_staff("eve", *operators)
    assert {row.platform for row in access.scope(model.objects.all(), both)} == {shared, own}
    assert access.scope(model.objects.all(), make_superuser()).count() == 2
    assert not access.scope(model.objects.all(), make_staff("bob")).exists()


def test_the_platform_itself_is_seen_by_all_whom_it_serves(ada, shared, own):
    assert set(access.scope(RoamingPlatform.objects.all(), ada)) == {shared, own}
    assert list(access.wholly(RoamingPlatform.objects.all(), ada)) == [own]


def command(platform, session):
    return Command.objects.create(
        platform=platform,
        type=CommandType.STOP_SESSION,
        request={},
        response=CommandResponseType.ACCEPTED,
        session=session,
        expires_at=timezone.now(),
    )


def session_of(operator):
    return ChargingSession.objects.create(connector=ConnectorFactory(evse__charger__location__operator=operator))


def test_commands_and_profile_requests_are_seen_with_their_session(ada, operators, shared):
    mine, theirs = map(session_of, operators)
    for session in (mine, theirs):
        command(shared, session)
        ProfileRequest.objects.create(platform=shared, session=session, type="GET", expires_at=timezone.now())
    nobodys = command(shared, None)
    assert [row.session for row in access.scope(Command.objects.all(), ada)] == [mine]
    assert [row.session for row in access.scope(ProfileRequest.objects.all(), ada)] == [mine]
    assert nobodys not in access.scope(Command.objects.all(), ada)


def test_a_refused_command_without_session_is_seen_where_the_platform_is_ones_own(ada, own):
    refused = command(own, None)
    assert list(access.scope(Command.objects.all(), ada)) == [refused]


@pytest.mark.parametrize("action", ["send_again", "discard"])
def test_messages_of_others_are_neither_sent_nor_discarded(client, ada, shared, action):
    rows_of(shared)
    row = Push.objects.get()
    data = {"action": action, "_selected_action": [row.pk], "confirmed": "yes"}
    client.post(reverse("admin:roaming_push_changelist"), data, follow=True)
    row.refresh_from_db()
    assert (row.state, row.needs_operator) == (PushState.PENDING, True)


@pytest.mark.parametrize("action", ["register", "update", "invalidate", "generate_token", "try_now"])
def test_the_connection_of_others_is_not_acted_on(client, ada, shared, own, action):
    for method in (client.get, client.post):
        assert method(reverse(f"admin:roaming_roamingplatform_{action}", args=[shared.pk])).status_code == 403
    assert client.get(reverse(f"admin:roaming_roamingplatform_{action}", args=[own.pk])).status_code == 200


def test_the_address_and_token_of_a_shared_connection_cannot_be_changed(client, ada, operators, shared):
    page = reverse("admin:roaming_roamingplatform_change", args=[shared.pk])
    assert "partner_token" not in client.get(page).content.decode()
    mine = shared.profiles.get(operators=operators[0])
    answer = client.post(page, platform_form(name="Mine now", partner_token="mine", profiles=[mine.pk]))
    assert answer.status_code == 302
    before = (shared.name, shared.url, shared.registration_token_encrypted)
    shared.refresh_from_db()
    assert (shared.name, shared.url, shared.registration_token_encrypted) == before
    assert shared.profiles.count() == 2
