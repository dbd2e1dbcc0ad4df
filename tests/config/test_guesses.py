"""Who tries one token or password after the other is stopped, and nobody else."""

import base64
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client

from chargers.choices import ApiScope
from chargers.models import ApiToken
from chargers.ocpp import auth
from chargers.services import api_tokens, lifecycle
from infrastructure import guesses
from infrastructure.secrets import keyed_hash
from roaming.services.tokens import hash_token
from tests.chargers.charger_socket import basic
from tests.infrastructure.factories import ChargerFactory, OperatorFactory
from tests.roaming.factories import PlatformFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_cache")]
LIMIT = 3
RIGHT, STRANGER = "the-right-one-0123", "192.0.2.7"


class Door(NamedTuple):
    """`knock(shown, address)` tells the HTTP status; `opened` is that of the right one."""

    knock: Callable[[str, str], int]
    opened: int


@pytest.fixture(autouse=True)
def limited(settings: Any) -> Iterator[None]:
    settings.GUESS_LIMIT = LIMIT
    guesses._recent.clear()
    yield
    guesses._recent.clear()


def partner() -> Door:
    PlatformFactory.create(server_token_hash=hash_token(RIGHT))

    def knock(shown: str, address: str) -> int:
        header = f"Token {base64.b64encode(shown.encode()).decode()}"
        return Client(REMOTE_ADDR=address).get("/ocpi/versions", headers={"Authorization": header}).status_code

    return Door(knock, 200)


def program() -> Door:
    token = ApiToken.objects.create(
        name="till",
        scopes=[ApiScope.CHARGE_POINTS_READ],
        key_hash=keyed_hash(RIGHT, purpose=api_tokens.PURPOSE),
    )
    token.operators.add(OperatorFactory.create())

    def knock(shown: str, address: str) -> int:
        headers = {"Authorization": f"Bearer {shown}"}
        return Client(REMOTE_ADDR=address).get("/api/v1/charge-points", headers=headers).status_code

    return Door(knock, 200)


def charger(identity: str = "CP-1") -> Door:
    lifecycle.set_password(ChargerFactory.create(identity=identity), RIGHT)

    def knock(shown: str, address: str) -> int:
        headers = basic(identity, shown) if shown else []
        scope = {"headers": headers, "scheme": "ws", "subprotocols": [], "client": (address, 5)}
        try:
            auth.let_in(identity, scope)
        except auth.Refused as refused:
            return refused.status
        return 101

    return Door(knock, 101)


@pytest.fixture(params=[partner, program, charger])
def door(request: Any) -> Door:
    made: Door = request.param()
    return made


def guess(door: Door, address: str, count: int = LIMIT) -> list[int]:
    return [door.knock(f"guess-number-{number}", address) for number in range(count)]


def test_after_so_many_guesses_even_the_right_one_is_not_looked_at(door: Door):
    assert guess(door, STRANGER, LIMIT + 1) == [401] * LIMIT + [429]
    assert door.knock(RIGHT, STRANGER) == 429


def test_a_stranger_locks_out_nobody_elsewhere(door: Door):
    guess(door, STRANGER, LIMIT + 1)
    assert door.knock(RIGHT, "192.0.2.8") == door.opened


def test_a_stranger_does_not_lock_out_who_proved_himself_at_the_same_address(door: Door):
    assert door.knock(RIGHT, STRANGER) == door.opened
    assert guess(door, STRANGER, LIMIT + 1)[-1] == 429
    guesses._recent.clear()  # another process
    assert door.knock(RIGHT, STRANGER) == door.opened
    assert door.knock("one more guess", STRANGER) == 429


def test_the_same_wrong_one_again_and_again_is_no_guessing(door: Door):
    assert {door.knock("an old one", STRANGER) for _ in range(3 * LIMIT)} == {401}
    assert door.knock(RIGHT, STRANGER) == door.opened


def test_addresses_of_one_ipv6_customer_count_as_one(door: Door):
    statuses = [door.knock(f"guess-number-{number}", f"2001:db8:0:1::{number:x}") for number in range(LIMIT + 1)]
    assert statuses == [401] * LIMIT + [429]
    assert door.knock(RIGHT, "2001:db8:0:2::1") == door.opened


def test_a_limit_of_nothing_is_none(door: Door, settings: Any):
    settings.GUESS_LIMIT = 0
    assert set(guess(door, STRANGER, 30)) == {401}


def test_without_its_cache_nobody_is_locked_out(door: Door, settings: Any):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    assert guess(door, STRANGER, LIMIT + 1) == [401] * (LIMIT + 1)
    assert door.knock(RIGHT, STRANGER) == door.opened


def test_guessing_one_charger_leaves_the_next_at_the_same_address_alone():
    first, second = charger("CP-1"), charger("CP-2")
    assert guess(first, STRANGER, LIMIT + 1)[-1] == 429
    assert second.knock(RIGHT, STRANGER) == second.opened


def test_trying_identities_is_guessing_too():
    door = charger()

    def try_identity(number: int) -> int:
        scope = {"headers": [], "scheme": "ws", "subprotocols": [], "client": (STRANGER, 5)}
        with pytest.raises(auth.Refused) as refused:
            auth.let_in(f"UNKNOWN-{number}", scope)
        return refused.value.status

    tries = LIMIT * auth.CHARGERS.factor
    assert [try_identity(number) for number in range(tries + 1)] == [404] * tries + [429]
    assert door.knock(RIGHT, "192.0.2.8") == door.opened


def test_no_token_at_all_is_no_guess():
    door = partner()
    client = Client(REMOTE_ADDR=STRANGER)
    assert {client.get("/ocpi/versions").status_code for _ in range(LIMIT + 1)} == {401}
    assert door.knock(RIGHT, STRANGER) == door.opened


def test_a_partner_is_told_when_to_come_again():
    door = partner()
    guess(door, STRANGER)
    answer = Client(REMOTE_ADDR=STRANGER).get("/ocpi/versions", headers={"Authorization": "Token b25lLW1vcmU="})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(guesses.WINDOW_S))
    assert answer.json()["status_code"] == 2001


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_as_whose_an_address_counts(address: str, network: str):
    assert guesses.network_of(address) == network
