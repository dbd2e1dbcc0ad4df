"""A new SECRET_KEY with the old one in SECRET_KEY_FALLBACKS: nobody registers again, and then the old one can go."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from chargers.choices import ApiScope
from chargers.models import ApiToken, ChargerConnection, PendingCharger
from chargers.ocpp.auth import Refused, admit
from chargers.services import api_tokens, lifecycle, pending
from infrastructure import secrets
from infrastructure.models import Charger
from roaming.ocpi.errors import Unauthorized
from roaming.ocpi.headers import encode_token
from roaming.services import tokens
from roaming.services.tokens import TokenKind, hash_token, platform_for
from tests.chargers.charger_socket import basic
from tests.infrastructure.factories import ChargerFactory, make_superuser
from tests.roaming.factories import PlatformFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db
OLD, NEW, SECRET = "the-old-key", "the-new-key", "a-secret-of-a-partner"


@pytest.fixture(autouse=True)
def old_key(settings):
    settings.SECRET_KEY = OLD


@pytest.fixture
def rotate(settings):
    """`rotate()`: the new key, the old one for what is known already; `rotate(forget=True)`: the new one alone."""

    def choose(*, forget: bool = False) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [] if forget else ["of another time", OLD]

    return choose


def header(token: str) -> str:
    return f"Token {encode_token(token)}"


def charger_with(password: str) -> Charger:
    charger: Charger = ChargerFactory(identity="CP-1")
    lifecycle.set_password(charger, password)
    return charger


def platform_holding(column: str):
    platform = PlatformFactory() if column == "registration_token_hash" else RegisteredPlatformFactory()
    setattr(platform, column, hash_token(SECRET))
    until = column.replace("_hash", "_until")
    if hasattr(platform, until):
        setattr(platform, until, timezone.now() + timedelta(hours=1))
    platform.save()
    return platform


@pytest.mark.parametrize("column", tokens.HASHES)
def test_a_partners_token_stays_good_and_the_old_key_is_needed_once(column, rotate, django_assert_num_queries):
    platform = platform_holding(column)
    rotate()
    kind = TokenKind.REGISTRATION if column == "registration_token_hash" else TokenKind.REGISTERED
    assert platform_for(header(SECRET))[:3] == (platform, kind, SECRET)
    rotate(forget=True)
    with django_assert_num_queries(1):
        assert platform_for(header(SECRET))[:3] == (platform, kind, SECRET)


def test_every_token_column_of_a_platform_is_renewed():
    columns = {field.name for field in PlatformFactory()._meta.concrete_fields if field.name.endswith("_hash")}
    assert columns == set(tokens.HASHES)


def test_an_unknown_token_stays_unknown(rotate):
    platform_holding("server_token_hash")
    rotate()
    with pytest.raises(Unauthorized):
        platform_for(header("another"))


def test_without_the_old_key_the_token_is_unknown(rotate):
    platform_holding("server_token_hash")
    rotate(forget=True)
    with pytest.raises(Unauthorized):
        platform_for(header(SECRET))


def test_a_charger_is_let_in_with_its_password(rotate, django_assert_num_queries):
    charger = charger_with("sixteen-letters-")
    rotate()
    assert admit("CP-1", basic("CP-1", "sixteen-letters-")) == charger.pk
    rotate(forget=True)
    with django_assert_num_queries(1):
        assert admit("CP-1", basic("CP-1", "sixteen-letters-")) == charger.pk


def test_a_wrong_password_changes_nothing(rotate):
    charger_with("sixteen-letters-")
    before = ChargerConnection.objects.values().get()
    rotate()
    with pytest.raises(Refused):
        admit("CP-1", basic("CP-1", "sixteen-letters!"))
    assert ChargerConnection.objects.values().get() == before


def test_a_password_that_was_sent_with_the_old_key_is_taken(rotate):
    charger = charger_with("the one before it")
    lifecycle.expect_password(charger.pk, "sixteen-letters-")
    rotate()
    assert admit("CP-1", basic("CP-1", "sixteen-letters-")) == charger.pk
    rotate(forget=True)
    assert admit("CP-1", basic("CP-1", "sixteen-letters-")) == charger.pk
    with pytest.raises(Refused):
        admit("CP-1", basic("CP-1", "the one before it"))


def test_a_charger_that_waits_for_staff_has_not_shown_another_password(rotate, settings, monkeypatch):
    settings.PENDING_CHARGERS = True
    monkeypatch.setattr(pending, "budget", pending.MinuteBudget(1))
    pending.record_unknown("NEW-1", "its password", "", "")
    PendingCharger.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    rotate()
    pending.record_unknown("NEW-1", "its password", "", "")
    row = PendingCharger.objects.get()
    assert not row.has_conflict
    rotate(forget=True)
    assert secrets.is_hash_of("its password", row.password_hash, purpose=lifecycle.PASSWORD_PURPOSE)


def test_a_key_of_the_operator_api_stays_good(rotate):
    token = ApiToken.objects.create(name="ERP", scopes=[ApiScope.CHARGE_POINTS_READ])
    key = api_tokens.generate_key(token)
    rotate()
    assert api_tokens.find_token("plugtill_wrong") is None
    assert api_tokens.find_token(key) == token
    rotate(forget=True)
    assert api_tokens.find_token(key) == token


def test_staff_stay_signed_in(rotate):
    make_superuser("root")
    client = Client()
    client.force_login(get_user_model().objects.get())
    rotate()
    assert client.get("/admin/password_change/").status_code == 200


def test_no_comparison_ends_early(monkeypatch, rotate):
    """Every key is tried, and each by `compare_digest`: the time tells nothing of which was right."""
    stored = secrets.keyed_hash("right", purpose="x")
    rotate()
    compared = []
    real = secrets.hmac.compare_digest
    monkeypatch.setattr(secrets.hmac, "compare_digest", lambda one, other: compared.append(one) or real(one, other))
    assert secrets.is_hash_of("right", stored, purpose="x")
    assert not secrets.is_hash_of("wrong", stored, purpose="x")
    assert not secrets.is_hash_of("", "", purpose="x")
    assert len(compared) == 9
