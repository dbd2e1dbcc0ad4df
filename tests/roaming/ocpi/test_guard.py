import pytest

from roaming.ocpi.errors import PeerError, PeerForbiddenAddress, PeerUnreachable
from roaming.ocpi.guard import PinnedTarget, check_url

PUBLIC = "93.184.216.34"


def check(url: str) -> PinnedTarget:
    return check_url(url, allow_private=False, require_https=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:8000/ocpi/versions",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.5/",
        "http://172.16.3.4/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.0.2.7/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::a00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:c0a8:101::1]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fc00::1]/",
        "http://[fd12:3456::1]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://user:secret@93.184.216.34/",
        "http://93.184.216.34@127.0.0.1/",
        "http://93.184.216.34\\@127.0.0.1/",
        "http://127.0.0.1\\.public.example/",
        "http://127%2e0.0.1/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://ⓛocalhost/",
        "http://public.example\t.internal/",
        "http://public.example\r\nHost: internal/",
        " http://public.example/",
        "http:///path",
        "http://",
        "http://:80/",
        "http://public.example:0/",
        "http://public.example:99999/",
        "http://public.example:8a/",
        "http://[::1/",
        "ftp://public.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript:alert(1)",
        "//public.example/",
        "public.example/ocpi",
        "",
    ],
)
def test_a_hostile_address_is_refused_before_any_connection(url: str, names: dict[str, list[str]]) -> None:
    names["public.example"] = [PUBLIC]
    with pytest.raises(PeerForbiddenAddress) as caught:
        check(url)
    assert caught.value.permanent
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:192.168.0.1"])
def test_a_name_that_leads_inside_is_refused_with_the_way_out(address: str, names: dict[str, list[str]]) -> None:
    names["rebound.example"] = [address]
    with pytest.raises(PeerForbiddenAddress) as caught:
        check("https://rebound.example/ocpi")
    assert "rebound.example leads to " in caught.value.detail
    assert "PEERS_ALLOW_PRIVATE_ADDRESSES" in caught.value.detail


def test_localhost_of_the_real_resolver_is_refused() -> None:
    with pytest.raises(PeerForbiddenAddress, match="private network"):
        check("http://localhost:8000/")


def test_one_internal_address_among_public_ones_is_enough_to_refuse(names: dict[str, list[str]]) -> None:
    names["mixed.example"] = [PUBLIC, "127.0.0.1"]
    with pytest.raises(PeerForbiddenAddress):
        check("https://mixed.example/")


def test_a_public_address_passes_with_all_its_addresses(names: dict[str, list[str]]) -> None:
    names["ptp.example"] = [PUBLIC, "2606:2800:220:1::1"]
    target = check("https://PTP.example:8443/ocpi?x=1#y")
    assert target == PinnedTarget("https", "ptp.example", 8443, (PUBLIC, "2606:2800:220:1::1"))


@pytest.mark.parametrize(
    ("url", "port", "address"),
    [
        ("http://93.184.216.34", 80, PUBLIC),
        ("https://93.184.216.34/x", 443, PUBLIC),
        ("https://[2606:2800:220:1::1]:444/", 444, "2606:2800:220:1::1"),
        ("https://[64:ff9b::5db8:d822]/", 443, "64:ff9b::5db8:d822"),
    ],
)
def test_public_addresses_pass(url: str, port: int, address: str) -> None:
    target = check(url)
    assert (target.port, target.addresses) == (port, (address,))


def test_encryption_can_be_demanded(names: dict[str, list[str]]) -> None:
    names["ptp.example"] = [PUBLIC]
    with pytest.raises(PeerForbiddenAddress, match="https://"):
        check_url("http://ptp.example/", allow_private=False, require_https=True)
    assert check_url("https://ptp.example/", allow_private=False, require_https=True).port == 443


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001/", "http://10.0.0.5/", "http://[::ffff:127.0.0.1]/"])
def test_private_addresses_pass_where_the_installation_allows_them(url: str) -> None:
    assert check_url(url, allow_private=True, require_https=False).addresses


@pytest.mark.parametrize("url", ["http://0.0.0.0/", "http://224.0.0.1/", "http://255.255.255.255/", "http://[::]/"])
def test_what_is_no_single_computer_never_passes(url: str) -> None:
    with pytest.raises(PeerForbiddenAddress):
        check_url(url, allow_private=True, require_https=False)


def test_an_unknown_name_may_be_known_later(names: dict[str, list[str]]) -> None:
    with pytest.raises(PeerUnreachable) as caught:
        check("https://no-such-name.example/")
    assert not caught.value.permanent
    assert isinstance(caught.value, PeerError)
