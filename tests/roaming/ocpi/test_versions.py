from collections.abc import Iterator
from typing import Any

import pytest

from roaming.ocpi.client import OcpiClient
from roaming.ocpi.errors import NoMatchingEndpoints, PeerGarbage, UnsupportedVersion
from roaming.ocpi.versions import fetch_endpoints, join, payments_urls
from tests.roaming.ocpi.loopback import Peer

P = "https://ptp.example/ocpi/payments"
TERMINALS = P + "/terminals"
ADVICES = P + "/financial-advice-confirmations"


@pytest.fixture
def client() -> Iterator[OcpiClient]:
    with OcpiClient("t", allow_private=True, require_https=False) as client:
        yield client


def offer(peer: Peer, *versions: str) -> str:
    return peer.says("/versions", [{"version": v, "url": f"{peer.url}/{v}"} for v in versions])


def details(peer: Peer, version: str, *endpoints: tuple[str, str, str]) -> None:
    listed = [{"identifier": i, "role": r, "url": u} for i, r, u in endpoints]
    peer.says(f"/{version}", {"version": version, "endpoints": listed})


def test_the_highest_version_both_have_is_taken(peer: Peer, client: OcpiClient) -> None:
    url = offer(peer, "2.1.1", "2.10", "2.2.1", "3.0")
    details(peer, "2.10", ("locations", "RECEIVER", "https://x/10"))
    wanted = ("2.2.1", "2.10", "2.1.1")
    assert fetch_endpoints(client, url, wanted) == ("2.10", {("locations", "RECEIVER"): "https://x/10"})


def test_endpoints_are_keyed_by_module_and_role(peer: Peer, client: OcpiClient) -> None:
    details(
        peer,
        "2.2.1",
        ("credentials", "RECEIVER", "https://x/credentials"),
        ("locations", "RECEIVER", "https://x/receiver/locations"),
        ("locations", "SENDER", "https://x/sender/locations"),
        ("nltnm-tokens", "SENDER", "https://x/custom"),
    )
    assert fetch_endpoints(client, offer(peer, "2.2.1")) == (
        "2.2.1",
        {
            ("credentials", "SENDER"): "https://x/credentials",
            ("locations", "RECEIVER"): "https://x/receiver/locations",
            ("locations", "SENDER"): "https://x/sender/locations",
            ("nltnm-tokens", "SENDER"): "https://x/custom",
        },
    )


def test_both_payments_endpoints_of_a_peer_are_kept(peer: Peer, client: OcpiClient) -> None:
    details(peer, "2.2.1", ("payments", "SENDER", TERMINALS), ("payments", "SENDER", "https://x/pay" + "/other/"))
    _, endpoints = fetch_endpoints(client, offer(peer, "2.2.1"))
    assert endpoints == {("payments", "SENDER"): TERMINALS, ("payments/other", "SENDER"): "https://x/pay/other/"}


def test_unusable_entries_are_passed_over(peer: Peer, client: OcpiClient) -> None:
    peer.says("/versions", ["2.2.1", {"version": "2.2.1"}, {"version": "2.2.1", "url": f"{peer.url}/2.2.1"}])
    listed = [
        None,
        {"identifier": "cdrs", "role": "SENDER"},
        {"identifier": "cdrs", "role": "SENDER", "url": "https://x"},
    ]
    peer.says("/2.2.1", {"endpoints": listed})
    assert fetch_endpoints(client, f"{peer.url}/versions")[1] == {("cdrs", "SENDER"): "https://x"}


@pytest.mark.parametrize(
    "url",
    [
        "/ocpi/cdrs",
        "ftp://x/cdrs",
        "https://",
        "https://me:secret@x/",
        f"https://x/{'y' * 250}",
        "https://x/\ud800",
        "\0",
    ],
)
def test_a_module_at_an_address_that_cannot_be_called_is_not_offered(peer: Peer, client: OcpiClient, url: str) -> None:
    details(peer, "2.2.1", ("cdrs", "RECEIVER", url), ("tariffs", "RECEIVER", "https://x/tariffs"))
    assert fetch_endpoints(client, offer(peer, "2.2.1"))[1] == {("tariffs", "RECEIVER"): "https://x/tariffs"}


@pytest.mark.parametrize("name", ["cdrs\ud800", "cdrs\0", 7, " "])
def test_a_module_whose_name_is_none_is_passed_over(peer: Peer, client: OcpiClient, name: Any) -> None:
    details(peer, "2.2.1", (name, "RECEIVER", "https://x/cdrs"))
    assert fetch_endpoints(client, offer(peer, "2.2.1"))[1] == {}


def test_more_endpoints_than_there_can_be_are_none(peer: Peer, client: OcpiClient) -> None:
    details(peer, "2.2.1", *((f"module-{number}", "SENDER", "https://x/") for number in range(1000)))
    with pytest.raises(PeerGarbage, match="more than 200 endpoints"):
        fetch_endpoints(client, offer(peer, "2.2.1"))


def test_what_is_said_of_another_offer_can_be_told_and_kept(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        fetch_endpoints(client, offer(peer, "\ud800", *(f"{'9' * 1000}.{number}" for number in range(100))))
    assert len(caught.value.message) < 200
    assert caught.value.message.isascii()


def test_without_a_common_version_the_offer_is_named(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(UnsupportedVersion, match=r"offers OCPI 2\.1\.1, but 2\.2\.1 is needed"):
        fetch_endpoints(client, offer(peer, "2.1.1"))
    with pytest.raises(UnsupportedVersion):
        fetch_endpoints(client, offer(peer))


@pytest.mark.parametrize("data", [None, {"version": "2.2.1"}, "2.2.1"])
def test_versions_that_are_no_list_are_garbage(peer: Peer, client: OcpiClient, data: object) -> None:
    with pytest.raises(PeerGarbage, match="list of versions"):
        fetch_endpoints(client, peer.says("/versions", data))


@pytest.mark.parametrize("data", [None, [], {}, {"endpoints": None}])
def test_details_without_endpoints_are_garbage(peer: Peer, client: OcpiClient, data: object) -> None:
    peer.says("/2.2.1", data)
    with pytest.raises(PeerGarbage, match="list of endpoints"):
        fetch_endpoints(client, offer(peer, "2.2.1"))


@pytest.mark.parametrize(
    ("url", "segments", "expected"),
    [
        ("https://x/tokens", ("a",), "https://x/tokens/a"),
        ("https://x/tokens/", ("a", "b"), "https://x/tokens/a/b"),
        ("https://x//tokens//", ("a",), "https://x//tokens/a"),
        ("https://x", ("a",), "https://x/a"),
        ("https://x/tokens", ("a/b?c#d %é",), "https://x/tokens/a%2Fb%3Fc%23d%20%25%C3%A9"),
        ("https://x/s?tenant=1", ("a",), "https://x/s/a?tenant=1"),
        ("https://x/commands", ("START_SESSION",), "https://x/commands/START_SESSION"),
    ],
)
def test_addresses_are_joined_with_one_slash_and_encoded(url: str, segments: tuple[str, ...], expected: str) -> None:
    assert join(url, *segments) == expected


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_leads_elsewhere_is_no_segment(segment: str) -> None:
    with pytest.raises(ValueError):
        join("https://x/tokens", segment)


@pytest.mark.parametrize(
    "urls",
    [
        [P],
        [P + "/"],
        [TERMINALS],
        [TERMINALS + "/"],
        [ADVICES],
        [ADVICES, TERMINALS],
        [TERMINALS, P],
        [P, TERMINALS],
    ],
)
def test_every_way_to_list_payments_gives_the_same_addresses(urls: list[str]) -> None:
    assert payments_urls(urls) == (TERMINALS, ADVICES)


def test_own_addresses_of_either_object_and_the_old_spelling_are_kept() -> None:
    assert payments_urls(["https://a/terminals", "https://b/financial_advice_confirmations/"]) == (
        "https://a/terminals",
        "https://b/financial_advice_confirmations",
    )
    assert payments_urls([P, "https://a/terminals"]) == ("https://a/terminals", ADVICES)


def test_without_a_payments_endpoint_there_are_no_addresses() -> None:
    with pytest.raises(NoMatchingEndpoints):
        payments_urls([])
