"""Who may sign in, and what the roles of staff may do."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from config.roles import ROLES, create_roles
from tests import migrated

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


def sign_in(client: Client, password: str) -> int:
    return client.post("/admin/login/", {"username": "eva", "password": password}).status_code


@pytest.fixture
def eva() -> User:
    return User.objects.create_user("eva", password=PASSWORD, is_staff=True)


def may(role: str, permission: str) -> bool:
    user = User.objects.create_user(f"one-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user.has_perm(permission)


def test_five_wrong_passwords_lock_the_name_from_this_address(eva, client):
    for _ in range(4):
        assert sign_in(client, "wrong") == 200
    assert sign_in(client, "wrong") == 429
    assert sign_in(client, PASSWORD) == 429


def test_others_can_still_sign_in_meanwhile(eva, client):
    for _ in range(5):
        sign_in(client, "wrong")
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert sign_in(elsewhere, PASSWORD) == 302


def test_signing_in_forgets_earlier_failures(eva, client):
    for _ in range(4):
        sign_in(client, "wrong")
    assert sign_in(client, PASSWORD) == 302
    assert sign_in(Client(), "wrong") == 200


@pytest.mark.parametrize("role", ROLES)
def test_every_role_exists_and_sees_sessions(role):
    assert may(role, "chargers.view_chargingsession")


@pytest.mark.parametrize(
    ("role", "permission", "is_allowed"),
    [
        ("Viewer", "chargers.change_chargingsession", False),
        ("Dispatcher", "chargers.change_chargingsession", True),
        ("Dispatcher", "tariffs.change_roamingtariff", False),
        ("Dispatcher", "roaming.change_roamingplatform", False),
        ("Tariff manager", "tariffs.add_roamingtariff", True),
        ("Tariff manager", "chargers.change_cdr", False),
        ("Finance", "chargers.change_cdr", True),
        ("Finance", "tariffs.change_roamingtariff", False),
        ("Finance", "chargers.change_chargingsession", False),
        ("Finance", "roaming.change_push", True),
        ("Finance", "roaming.change_pull", True),
        ("Dispatcher", "chargers.change_cdr", False),
        ("Administrator", "roaming.change_roamingplatform", True),
        ("Administrator", "auth.add_user", False),
        ("Viewer", "infrastructure.view_outboxevent", False),
    ],
)
def test_roles_may_do_their_work_and_no_more(role, permission, is_allowed):
    assert may(role, permission) is is_allowed


def test_pages_forbid_foreign_scripts_and_frames(client):
    policy = client.get("/admin/login/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("name", ["config/roles.py", "tariffs/models.py", "chargers/models/token.py"])
def test_tests_begin_with_the_rights_that_the_roles_have_now(tmp_path, monkeypatch, name):
    """A migrated database that is kept from run to run is not taken for another state of what made it."""
    monkeypatch.setattr(migrated, "PROJECT", tmp_path)
    for place in ("requirements.txt", "config/roles.py", name):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("before")
    before = migrated._digest()
    (tmp_path / name).write_text("after")
    assert migrated._digest() != before


def test_what_was_given_to_a_role_by_hand_stays():
    group, right = Group.objects.get(name="Viewer"), Permission.objects.get(codename="change_operator")
    group.permissions.add(right)
    create_roles()
    assert right in group.permissions.all()


@pytest.mark.parametrize("address", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_a_sign_in_never_leads_out_of_here(eva, client, address):
    answer = client.post("/admin/login/", {"username": "eva", "password": PASSWORD, "next": address})
    assert answer.headers["Location"] == "/admin/"
