"""`manage.py add_platform` in both directions, and who registered against who was expected."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from roaming.choices import Initiation, PlatformState
from roaming.models import RoamingPlatform
from tests.roaming.client import client_with
from tests.roaming.factories import ProfileFactory
from tests.roaming.peer import FakePeer

pytestmark = pytest.mark.django_db

ARGUMENTS = ("--profile", "plg", "--type", "PTP", "--code", "nayax", "--name", "Nayax", "--country", "NL")


@pytest.fixture(autouse=True)
def profile() -> Any:
    return ProfileFactory(code="plg")


def add(*arguments: str) -> str:
    out = StringIO()
    call_command("add_platform", *ARGUMENTS, *arguments, stdout=out)
    return out.getvalue()


def test_without_a_token_it_prints_ours_and_the_partner_can_use_it() -> None:
    printed = add()
    token = printed.split("Registration token: ")[1].split()[0]
    assert "/ocpi/versions" in printed
    assert client_with(token).call("GET", "versions").status_code == 200
    platform = RoamingPlatform.objects.get()
    assert (platform.initiation, platform.profiles.get().code) == (Initiation.PARTNER, "plg")


def test_with_a_token_it_registers_and_tells_the_steps(peer: FakePeer) -> None:
    peer.accepted.add("token-a")
    printed = add("--url", peer.versions_url, "--token", "token-a")
    assert "ok     Registered: Terminals BV (OTHER NL-PTP)." in printed
    assert RoamingPlatform.objects.get().state == PlatformState.REGISTERED


def test_a_failed_registration_keeps_the_platform_and_says_why(peer: FakePeer) -> None:
    peer.answers["GET", "/versions"] = 500, {}
    with pytest.raises(CommandError, match="not registered"):
        add("--url", peer.versions_url, "--token", "token-a")
    assert RoamingPlatform.objects.get().last_error


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(CommandError, match="Known: plg"):
        call_command("add_platform", *ARGUMENTS[2:], "--profile", "none")


def test_a_token_needs_an_address() -> None:
    with pytest.raises(CommandError, match="--url"):
        add("--token", "token-a")


def test_a_code_that_is_taken_is_refused_with_its_field() -> None:
    add()
    with pytest.raises(CommandError, match="code"):
        add()


@pytest.mark.parametrize(("party", "warning"), [("PTP", ""), ("", ""), ("XYZ", "NL-XYZ was expected")])
def test_a_partner_that_is_not_the_expected_one_is_shown(peer: FakePeer, party: str, warning: str) -> None:
    peer.accepted.add("token-a")
    add("--url", peer.versions_url, "--token", "token-a", "--party", party)
    assert warning in RoamingPlatform.objects.get().party_warning
    assert bool(RoamingPlatform.objects.get().party_warning) == bool(warning)
