"""Two parties behind one hub: what concerns a party's driver is addressed to that party, on the wire."""

from typing import Any

import pytest
from django.db import transaction

from chargers.choices import CallAction, CallResult
from chargers.services.outgoing import create_call
from infrastructure import correlation, outbox
from roaming.choices import CommandResponseType, CommandType, ConnectionStatus, InterfaceRole, Module, PlatformType
from roaming.models import ClientInfo, Command, PlatformEndpoint, Push, RoamingPlatform
from roaming.services import hub, push, senders
from roaming.services.commands import answers
from tests.infrastructure.factories import ChargerFactory
from tests.roaming.factories import DocumentFactory, ProfileFactory, RegisteredPlatformFactory, make_role
from tests.roaming.peer import FakePeer, Received, envelope

pytestmark = pytest.mark.django_db
PARTIES = [("DE", "ONE"), ("FR", "TWO")]
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture
def behind(peer: FakePeer, settings: Any) -> RoamingPlatform:
    """A hub that answers at a loopback port; both parties are connected behind it."""
    settings.PEERS_ALLOW_PRIVATE_ADDRESSES, settings.PEERS_REQUIRE_HTTPS = True, False
    platform = RegisteredPlatformFactory(
        type=PlatformType.HUB, profiles=[ProfileFactory(country_code="AT", party_id="PLG")]
    )
    peer.accepted.add("client-token")
    make_role(platform, "HUB", "NL")
    for module in (Module.SESSIONS, Module.CDRS, Module.LOCATIONS):
        url = f"{peer.url}/2.2.1/{module}"
        PlatformEndpoint.objects.create(platform=platform, identifier=module, role=InterfaceRole.RECEIVER, url=url)
    for country, party in PARTIES:
        _client(platform, country, party, ConnectionStatus.CONNECTED)
    return platform


def _client(platform: RoamingPlatform, country: str, party: str, status: ConnectionStatus) -> None:
    ClientInfo.objects.update_or_create(
        platform=platform,
        country_code=country,
        party_id=party,
        defaults={"role": "EMSP", "status": status, "body": {}, "last_updated": LATER},
    )


def token_of(party: tuple[str, str]) -> dict[str, str]:
    return {"country_code": party[0], "party_id": party[1], "uid": "U", "type": "RFID", "contract_id": "C"}


def deliver(peer: FakePeer, platform: RoamingPlatform, module: Module, party: tuple[str, str]) -> Received:
    """A document about a driver of the party goes out; what the hub received."""
    name = f"{module}-{party[1]}"
    body = {"country_code": "AT", "party_id": "PLG", "id": name, "session_id": name, "cdr_token": token_of(party)}
    document = DocumentFactory(platform=platform, module=module, object_id=name, body=body)
    path = "/2.2.1/cdrs" if module == Module.CDRS else f"/2.2.1/{module}/{document.path}"
    peer.answers["POST" if module == Module.CDRS else "PUT", path] = 200, envelope()
    with transaction.atomic():
        push.enqueue(platform, module, document.path)
    push.deliver_next(Push.objects.latest("pk").platform_id)
    return peer.requests[-1]


def routing(call: Received) -> tuple[str | None, ...]:
    names = ("to-country-code", "to-party-id", "from-country-code", "from-party-id")
    return tuple(call.headers.get(f"ocpi-{name}") for name in names)


@pytest.mark.parametrize("module", [Module.SESSIONS, Module.CDRS])
def test_sessions_and_cdrs_are_for_the_party_of_their_token(
    behind: RoamingPlatform, peer: FakePeer, module: Module
) -> None:
    for party in PARTIES:
        assert routing(deliver(peer, behind, module, party)) == (*party, "AT", "PLG")


def test_what_everybody_may_see_is_for_the_hub(behind: RoamingPlatform, peer: FakePeer) -> None:
    document = DocumentFactory(platform=behind, module=Module.LOCATIONS)
    peer.answers["PUT", f"/2.2.1/locations/{document.path}"] = 200, envelope()
    with transaction.atomic():
        push.enqueue(behind, Module.LOCATIONS, document.path)
    push.deliver_next(Push.objects.get().platform_id)
    assert routing(peer.requests[-1])[:2] == ("NL", "HUB")


def test_a_partner_with_two_roles_gets_it_for_the_right_one(behind: RoamingPlatform) -> None:
    RoamingPlatform.objects.update(type=PlatformType.EMSP)
    behind.refresh_from_db()
    make_role(behind, "TWO", "FR")
    assert hub.addressee(behind, "fr", "two") == ("fr", "two")
    # A token of somebody else: the partner has to know.
    assert hub.addressee(behind, "DE", "ONE") is None


def command_of(platform: RoamingPlatform, party: tuple[str, str], peer: FakePeer, correlation_id: str) -> Command:
    charger = ChargerFactory()
    body = {"response_url": f"{peer.url}/results/{party[1]}"}
    peer.answers["POST", f"/results/{party[1]}"] = 200, envelope()
    with correlation.correlated(correlation_id), transaction.atomic():
        command = answers.record(
            platform, CommandType.UNLOCK_CONNECTOR, body, CommandResponseType.ACCEPTED, sender=party
        )
        call = create_call(charger.pk, None, CallAction.UNLOCK_CONNECTOR, {"evse": 1}, command.expires_at)
        answers.record_forwarded(command, call)
    call.result = CallResult.ACCEPTED
    call.save()
    return command


def report(command: Command) -> None:
    with transaction.atomic():
        call = Command.objects.get(pk=command.pk).call
        assert call is not None
        outbox.record("call", call.pk)
    outbox.drain()


def test_the_result_of_a_command_is_for_the_party_that_sent_it(behind: RoamingPlatform, peer: FakePeer) -> None:
    for number, party in enumerate(PARTIES):
        command = command_of(behind, party, peer, f"asked-{number}")
        report(command)
        push.deliver_next(Push.objects.latest("pk").platform_id)
        told = peer.requests[-1]
        assert (told.path, told.body) == (f"/results/{party[1]}", {"result": "ACCEPTED"})
        assert routing(told)[:2] == party
        assert told.headers["x-correlation-id"] == f"asked-{number}"


def test_no_result_goes_to_a_party_that_is_away(behind: RoamingPlatform, peer: FakePeer) -> None:
    away, here = (command_of(behind, party, peer, party[1]) for party in PARTIES)
    _client(behind, *PARTIES[0], ConnectionStatus.OFFLINE)
    for command in (away, here):
        report(command)
    assert [row.body["to_party_id"] for row in Push.objects.filter(module=Module.COMMANDS)] == ["TWO"]
    away.refresh_from_db()
    assert away.result == CallResult.ACCEPTED  # staff see how it ended


def test_a_result_is_not_sent_when_its_party_went_away_meanwhile(behind: RoamingPlatform, peer: FakePeer) -> None:
    report(command_of(behind, PARTIES[0], peer, "one"))
    _client(behind, *PARTIES[0], ConnectionStatus.SUSPENDED)
    assert senders.build_command_result(Push.objects.get()) is None
