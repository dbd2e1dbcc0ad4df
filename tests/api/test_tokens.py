"""Keys: who is let in, for what, for whose rows, and how often."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from chargers.choices import ApiScope
from chargers.models import ApiToken
from chargers.services import api_tokens
from infrastructure.models import OperatorMembership
from tests.api.caller import EVERYTHING, make_caller
from tests.infrastructure.factories import OperatorFactory, make_staff, make_superuser

pytestmark = pytest.mark.django_db


def test_a_key_opens_and_only_its_hash_is_kept(caller):
    assert caller.send("get", "charge-points").status_code == 200
    stored = ApiToken.objects.get()
    assert caller.key.startswith("plugtill_")
    assert caller.key not in str(ApiToken.objects.values().get())
    assert caller.key.removeprefix("plugtill_").startswith(stored.key_start) and len(stored.key_start) == 4
    assert stored.last_used_at is not None


def test_the_scheme_may_be_token_too(caller):
    caller.credentials(HTTP_AUTHORIZATION=f"Token {caller.key}")
    assert caller.send("get", "charge-points").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", "Bearer \xff", "Token a b"])
def test_anything_else_is_401(caller, header):
    caller.credentials(HTTP_AUTHORIZATION=header)
    answer = caller.send("get", "charge-points")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_the_login_of_the_admin_does_not_open_the_api(client, connector):
    client.force_login(make_superuser())
    assert client.get("/api/v1/charge-points").status_code == 401


def test_a_new_key_ends_the_old_one(caller):
    api_tokens.generate_key(caller.token)
    assert caller.send("get", "charge-points").status_code == 401


def test_a_revoked_token_is_refused(caller):
    api_tokens.revoke(caller.token)
    assert caller.send("get", "charge-points").status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(-1, 401), (60, 200)])
def test_a_token_ends_with_its_expiry(operator, seconds, status):
    caller = make_caller(operator, expires_at=timezone.now() + timedelta(seconds=seconds))
    assert caller.send("get", "charge-points").status_code == status


OPERATIONS = [
    ("get", "areas", "charge-points:read"),
    ("get", "charge-points", "charge-points:read"),
    ("post", "charge-points", "charge-points:write"),
    ("get", "charge-points/{identity}", "charge-points:read"),
    ("get", "charge-points/{identity}/connection", "charge-points:read"),
    ("post", "charge-points/{identity}/credentials", "credentials:write"),
    ("post", "charge-points/{identity}/commands/Reset", "commands:send"),
    ("get", "charge-points/{identity}/local-list", "local-lists:read"),
    ("put", "charge-points/{identity}/local-list", "local-lists:write"),
    ("post", "charge-points/{identity}/local-list/send", "local-lists:write"),
    ("get", "calls", "commands:read"),
    ("get", "calls/1", "commands:read"),
    ("get", "transactions", "transactions:read"),
    ("get", "transactions/x", "transactions:read"),
    ("post", "transactions/x/close", "transactions:close"),
    ("get", "reservations", "reservations:read"),
    ("get", "reservations/1", "reservations:read"),
    ("post", "reservations", "reservations:write"),
    ("post", "reservations/1/cancel", "reservations:write"),
    ("get", "charging-profiles", "charging-profiles:read"),
    ("post", "charging-profiles", "charging-profiles:write"),
    ("get", "charging-profiles/1", "charging-profiles:read"),
    ("patch", "charging-profiles/1", "charging-profiles:write"),
    ("delete", "charging-profiles/1", "charging-profiles:write"),
    ("post", "charging-profiles/1/set", "commands:send"),
    ("get", "id-tokens", "id-tokens:read"),
    ("post", "id-tokens", "id-tokens:write"),
    ("get", "id-tokens/1", "id-tokens:read"),
    ("patch", "id-tokens/1", "id-tokens:write"),
    ("delete", "id-tokens/1", "id-tokens:write"),
    ("get", "messages", "messages:read"),
]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_each_operation_needs_its_permission_and_no_other(operator, charger, method, path, scope):
    path = path.format(identity=charger.identity)
    others = make_caller(operator, scopes=[one for one in EVERYTHING if one != scope])
    refused = others.send(method, path)
    assert refused.status_code == 403
    assert scope in refused.json()["detail"]
    assert make_caller(operator, scopes=[scope]).send(method, path).status_code != 403


def test_the_list_of_operations_is_complete(client):
    document = client.get("/api/v1/schema").json()
    assert sum(len(operations) for operations in document["paths"].values()) == len(OPERATIONS)
    assert {scope for *_, scope in OPERATIONS} == set(ApiScope)


def test_requests_are_limited_per_token(settings, fresh_cache, operator):
    settings.API_RATE = "2/day"
    caller, other = make_caller(operator), make_caller(operator)
    assert [caller.send("get", "areas").status_code for _ in range(3)] == [200, 200, 429]
    assert int(caller.send("get", "areas")["Retry-After"]) > 0
    assert other.send("get", "areas").status_code == 200


# -- admin


ADD = "/admin/chargers/apitoken/add/"


def page_of(token, name):
    return reverse(f"admin:chargers_apitoken_{name}", args=[token.pk])


@pytest.fixture
def staff(client, operator):
    user = make_staff("ada", operator)
    client.force_login(user)
    client.user = user
    return client


def test_staff_make_a_token_and_get_its_key_once(staff, operator):
    form = {
        "name": "App",
        "operators": [operator.pk],
        "scopes": ["charge-points:read"],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    staff.post(ADD, form)
    token = ApiToken.objects.get()
    assert (token.created_by, token.scopes, token.key_hash) == (staff.user, ["charge-points:read"], "")
    address = page_of(token, "generate_key")
    assert "has no key yet" in staff.get(address).content.decode()
    page = staff.post(address)
    assert "no-store" in page["Cache-Control"]
    key = page.context["key"]
    assert key in page.content.decode()
    assert api_tokens.find_token(key) == token
    assert key not in staff.get(address).content.decode()
    staff.post(page_of(token, "revoke_key"))
    assert api_tokens.find_token(key) is None


def test_a_get_of_its_pages_changes_nothing(staff, caller):
    for page in ("generate_key", "revoke_key"):
        assert staff.get(page_of(caller.token, page)).status_code == 200
    assert api_tokens.find_token(caller.key) == caller.token


def test_a_token_that_also_opens_another_operator_is_not_shown(staff, operator):
    shared = make_caller(operator, OperatorFactory())
    assert "Fleet" not in staff.get("/admin/chargers/apitoken/").content.decode()
    for page in ("generate_key", "revoke_key"):
        assert staff.post(page_of(shared.token, page)).status_code in (302, 404)
    assert api_tokens.find_token(shared.key) == shared.token


def test_nobody_gives_a_token_more_than_they_may_themselves(staff, operator):
    staff.user.user_permissions.set(
        staff.user.user_permissions.exclude(codename="change_chargerconnection").values_list("pk", flat=True)
    )
    assert OperatorMembership.objects.filter(user=staff.user).exists()
    page = staff.post(ADD, {"name": "App", "operators": [operator.pk], "scopes": ["commands:send"]})
    assert "You may not do this yourself" in page.content.decode()
    strong = make_caller(operator)
    staff.post(page_of(strong.token, "generate_key"))
    assert api_tokens.find_token(strong.key) == strong.token


@pytest.mark.parametrize(
    ("scope", "lacking"),
    [
        ("charge-points:write", "add_charger"),
        ("charge-points:write", "add_evse"),
        ("charge-points:write", "add_connector"),
        *(("id-tokens:write", f"{verb}_idtoken") for verb in ("add", "change", "delete")),
        *(("charging-profiles:write", f"{verb}_chargingprofiletemplate") for verb in ("add", "change", "delete")),
    ],
)
def test_whoever_gives_a_token_a_permission_may_do_all_that_it_opens(staff, operator, scope, lacking):
    form = {"name": "App", "operators": [operator.pk], "scopes": [scope]}
    right = staff.user.user_permissions.get(codename=lacking)
    staff.user.user_permissions.remove(right)
    assert f"You may not do this yourself: {scope}." in staff.post(ADD, form).content.decode()
    staff.user.user_permissions.add(right)
    assert staff.post(ADD, form).status_code == 302
