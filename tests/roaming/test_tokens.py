from datetime import timedelta

import pytest
from django.utils import timezone

from roaming.choices import PlatformState
from roaming.ocpi.errors import Unauthorized
from roaming.ocpi.headers import encode_token
from roaming.services import tokens
from roaming.services.tokens import TokenKind, hash_token, platform_for
from tests.roaming.factories import PlatformFactory, RegisteredPlatformFactory

pytestmark = pytest.mark.django_db


def header(token: str) -> str:
    return f"Token {encode_token(token)}"


def test_server_token_names_its_platform(django_assert_num_queries):
    RegisteredPlatformFactory(server_token="other")
    platform = RegisteredPlatformFactory(server_token="mine")
    with django_assert_num_queries(1):
        caller = platform_for(header("mine"))
    assert caller[:3] == (platform, TokenKind.REGISTERED, "mine")


def test_a_token_sent_as_it_is_is_understood_too():
    platform = RegisteredPlatformFactory(server_token="raw-token-of-a-2.1.1-peer")
    assert platform_for("Token raw-token-of-a-2.1.1-peer").platform == platform


def test_a_decoded_token_may_end_in_a_newline():
    platform = RegisteredPlatformFactory(server_token="example-token")
    assert platform_for("Token ZXhhbXBsZS10b2tlbgo=").platform == platform


@pytest.mark.parametrize("value", [None, "", "Token", "Token ", "Bearer abc", "Token unknown", "Basic bWluZQ=="])
def test_anything_else_is_unauthorized(value):
    RegisteredPlatformFactory(server_token="mine")
    PlatformFactory()
    with pytest.raises(Unauthorized):
        platform_for(value)


def test_registration_token_is_recognised_as_such_and_replaces_the_one_before():
    platform = PlatformFactory()
    first = tokens.generate_registration_token(platform)
    second = tokens.generate_registration_token(platform)
    assert platform_for(header(second))[:3] == (platform, TokenKind.REGISTRATION, second)
    assert second not in platform.registration_token_hash
    with pytest.raises(Unauthorized):
        platform_for(header(first))


def test_no_registration_token_while_registered():
    platform = RegisteredPlatformFactory()
    with pytest.raises(tokens.TokenRefused, match="is registered"):
        tokens.generate_registration_token(platform)
    platform.refresh_from_db()
    assert platform.registration_token_hash == ""


def test_previous_token_works_until_its_grace_ends():
    platform = RegisteredPlatformFactory(
        previous_server_token_hash=hash_token("old"),
        previous_server_token_until=timezone.now() + timedelta(minutes=1),
    )
    assert platform_for(header("old"))[:3] == (platform, TokenKind.REGISTERED, "old")
    platform.previous_server_token_until = timezone.now() - timedelta(seconds=1)
    platform.save()
    with pytest.raises(Unauthorized):
        platform_for(header("old"))


def test_first_request_with_the_new_token_ends_the_previous_one():
    RegisteredPlatformFactory(
        server_token="new",
        previous_server_token_hash=hash_token("old"),
        previous_server_token_until=timezone.now() + timedelta(hours=1),
    )
    platform_for(header("old"))
    platform_for(header("new"))
    with pytest.raises(Unauthorized):
        platform_for(header("old"))


def test_partner_token_is_kept_encrypted_and_checked():
    platform = PlatformFactory(state=PlatformState.NEW)
    tokens.store_partner_token(platform, " secret-a \n")
    platform.refresh_from_db()
    assert platform.registration_token_encrypted
    assert "secret-a" not in platform.registration_token_encrypted
    for wrong in ("", "two words", "ä", "x" * 65):
        with pytest.raises(tokens.TokenRefused):
            tokens.store_partner_token(platform, wrong)
