"""A platform that serves operators of several companies: staff of one see and do nothing that concerns the other."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from chargers.models import ChargingSession
from infrastructure import access
from roaming.choices import CommandResponseType, CommandType, Direction, Module, PlatformState, PlatformType, PushState
from roaming.models import Command, Document, Message, ProfileRequest, Pull, Push, RoamingPlatform
from tariffs.models import RoamingTariff, SessionSettings
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
    apps = ["roaming", "infrastructure", "tariffs"]
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=apps))
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


@pytest.fixture
def joint(operators):
    """One party under which the operators of both companies appear."""
    return ProfileFactory(code="joint", operators=operators)


def test_a_profile_of_several_is_changed_and_deleted_by_who_works_for_all(client, ada, operators, joint):
    mine = ProfileFactory(code="mine", operators=operators[:1])
    change, delete = (reverse(f"admin:roaming_roamingprofile_{what}", args=[joint.pk]) for what in ("change", "delete"))
    form = {"name": "Hers", "code": "joint", "protocol": joint.protocol, "country_code": "DE", "party_id": "EVL"}
    form["operators"] = [operators[0].pk]
    chosen = {"action": "delete_selected", "_selected_action": [joint.pk], "post": "yes"}
    assert client.get(change).status_code == 200
    assert [client.post(change, form).status_code, client.post(delete, {"post": "yes"}).status_code] == [403, 403]
    assert client.post(reverse("admin:roaming_roamingprofile_changelist"), chosen).status_code == 403
    before = (joint.name, joint.party_id)
    joint.refresh_from_db()
    assert ((joint.name, joint.party_id), joint.operators.count()) == (before, 2)
    assert client.get(reverse("admin:roaming_roamingprofile_delete", args=[mine.pk])).status_code == 200
    client.force_login(make_staff_of_both(operators))
    assert client.post(change, form).status_code == 302


def make_staff_of_both(operators):
    eve = make_staff("eve", *operators)
    eve.user_permissions.set(Permission.objects.filter(content_type__app_label="roaming"))
    return eve


@pytest.mark.parametrize("state", [PlatformState.NEW, PlatformState.INVALIDATED])
def test_a_platform_of_several_is_deleted_by_who_works_for_all(client, ada, operators, shared, state):
    RoamingPlatform.objects.update(state=state)
    page = reverse("admin:roaming_roamingplatform_delete", args=[shared.pk])
    chosen = {"action": "delete_selected", "_selected_action": [shared.pk], "post": "yes"}
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:roaming_roamingplatform_changelist"), chosen).status_code == 403
    client.force_login(make_staff_of_both(operators))
    assert client.post(page, {"post": "yes"}).status_code == 302
    assert not RoamingPlatform.objects.exists()


def test_a_profile_of_several_is_neither_put_on_a_platform_nor_taken_off(client, ada, operators, joint, own):
    mine = own.profiles.get()
    served = RegisteredPlatformFactory(profiles=[joint])
    for platform, profiles in ((own, [mine, joint]), (served, [ProfileFactory(operators=[operators[0]])])):
        form = platform_form(code=platform.code, profiles=[profile.pk for profile in profiles])
        answer = client.post(reverse("admin:roaming_roamingplatform_change", args=[platform.pk]), form)
        assert "do not work use this, too" in str(answer.context["adminform"].form.errors["profiles"])
    form = platform_form(profiles=[joint.pk])
    answer = client.post(reverse("admin:roaming_roamingplatform_add"), form)
    assert "do not work use this, too" in str(answer.context["adminform"].form.errors["profiles"])


def test_the_tariffs_of_others_stay_as_they_are_on_a_shared_platform(client, ada, operators, shared, own):
    mine, theirs, free = (RoamingTariff.objects.create(name=name, code=name) for name in ("MINE", "THEIRS", "FREE"))
    RoamingPlatform.objects.update(type=PlatformType.EMSP)
    for operator, tariff in zip(operators, (mine, theirs), strict=True):
        SessionSettings.objects.create(operator=operator).tariffs.add(tariff)

    def save(platform, *tariffs):
        form = platform_form(
            code=platform.code,
            type="EMSP",
            tariffs=[tariff.pk for tariff in tariffs],
            profiles=[profile.pk for profile in access.scope(platform.profiles.all(), ada)],
        )
        answer = client.post(reverse("admin:roaming_roamingplatform_change", args=[platform.pk]), form)
        return answer.status_code == 302 or str(answer.context["adminform"].form.errors)

    assert "THEIRS (THEIRS): operators for whom you do not work" in save(shared, mine, theirs)
    shared.tariffs.set([theirs])
    assert "THEIRS (THEIRS): operators for whom you do not work" in save(shared, mine)
    assert set(shared.tariffs.all()) == {theirs}
    assert save(shared, theirs, free) is True
    # Of a platform that is theirs alone nobody else notices anything.
    assert save(own, mine, theirs) is True
    assert save(own, mine) is True
