import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime as http_date

import pytest
import responses

from roaming.ocpi.client import OcpiClient
from roaming.ocpi.errors import PeerError, PeerForbiddenAddress, PeerGarbage, PeerRefused, PeerUnreachable
from roaming.ocpi.headers import Routing
from tests.roaming.ocpi.loopback import Peer

ROUTING = Routing("NL", "CPO", "BE", "PTP")


def make_client(**options: object) -> OcpiClient:
    settings = {"allow_private": True, "require_https": False, "timeout": (2.0, 2.0)} | options
    return OcpiClient("secret-token", **settings)  # type: ignore[arg-type]


@pytest.fixture
def client() -> Iterator[OcpiClient]:
    with make_client() as client:
        yield client


def refused(call: object, *arguments: object) -> PeerRefused:
    with pytest.raises(PeerRefused) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


def test_a_success_is_returned_with_its_parts(peer: Peer, client: OcpiClient) -> None:
    reply = client.get(peer.says("/x", [{"id": "1"}], X_Total_Count="1"))
    assert (reply.http_status, reply.status_code, reply.status_message) == (200, 1000, "as told")
    assert reply.data == [{"id": "1"}]
    assert reply.headers["x-total-count"] == "1"
    assert reply.duration_s >= 0


def test_the_request_carries_what_ocpi_demands(peer: Peer) -> None:
    with make_client(routing=ROUTING) as client:
        client.put(peer.says("/x"), {"name": "Straße"}, correlation_id="corr-1")
    (request,) = peer.received
    assert request.method == "PUT"
    assert request.headers["Authorization"] == "Token c2VjcmV0LXRva2Vu"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Correlation-ID"] == "corr-1"
    assert request.headers["X-Request-ID"] not in ("", "corr-1")
    assert request.headers["Host"] == f"127.0.0.1:{peer.port}"
    assert {name: request.headers[name] for name in ROUTING.to_headers()} == ROUTING.to_headers()
    assert request.body == '{"name":"Straße"}'.encode()


def test_a_raw_token_is_sent_raw_and_a_configuration_module_without_routing(peer: Peer) -> None:
    with make_client(encode_token=False) as client:
        client.get(peer.says("/x"), {"date_from": "2025-01-31T12:00:00Z"})
    (request,) = peer.received
    assert request.headers["Authorization"] == "Token secret-token"
    assert request.path == "/x?date_from=2025-01-31T12:00:00Z"
    assert not [name for name in request.headers if name.lower().startswith("ocpi-")]
    assert "Content-Type" not in request.headers


def test_every_request_has_an_id_of_its_own(peer: Peer, client: OcpiClient) -> None:
    url = peer.says("/x")
    for _ in range(2):
        client.post(url, {})
    first, second = (request.headers for request in peer.received)
    assert first["X-Request-ID"] != second["X-Request-ID"]
    assert first["X-Correlation-ID"] != second["X-Correlation-ID"]


@pytest.mark.parametrize("method", ["put", "patch", "post", "delete"])
@pytest.mark.parametrize(("status", "body"), [(200, b""), (204, b""), (201, b" \n")])
def test_a_push_may_be_answered_without_a_body(
    peer: Peer, client: OcpiClient, method: str, status: int, body: bytes
) -> None:
    reply = getattr(client, method)(peer.sends("/x", body, status=status), {"a": 1})
    assert (reply.status_code, reply.data) == (1000, None)
    assert peer.received[0].method == method.upper()


def test_a_get_may_not(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(PeerGarbage):
        client.get(peer.sends("/x"))


@pytest.mark.parametrize(
    ("status", "code", "is_permanent"),
    [
        (200, 2001, True),
        (200, 2003, True),
        (404, 2004, True),
        (400, 2001, True),
        (405, 2000, True),
        (422, 2001, True),
        (404, 1000, True),
        (200, 4001, True),
        (401, 2001, False),
        (408, 2000, False),
        (429, 2000, False),
        (500, 3000, False),
        (500, 2000, False),
        (503, 1000, False),
        (200, 3000, False),
        (200, 3001, False),
        (400, 3000, False),
        (200, 4002, False),
        (200, 4003, False),
    ],
)
def test_a_refusal_says_whether_trying_again_can_help(
    peer: Peer, client: OcpiClient, status: int, code: int, is_permanent: bool
) -> None:
    error = refused(client.put, peer.says("/x", {"debug": 1}, status=status, code=code), {})
    assert error.permanent is is_permanent
    assert (error.http_status, error.status_code, error.status_message) == (status, code, "as told")
    assert error.data == {"debug": 1}
    assert f"HTTP {status}, OCPI {code}" in error.detail and "as told" in error.detail


@pytest.mark.parametrize(("status", "is_permanent"), [(404, True), (403, True), (502, False), (500, False)])
def test_an_error_page_of_a_proxy_counts_by_its_http_status(
    peer: Peer, client: OcpiClient, status: int, is_permanent: bool
) -> None:
    error = refused(client.get, peer.sends("/x", b"<html>nginx</html>", status=status))
    assert (error.http_status, error.status_code, error.permanent) == (status, None, is_permanent)
    assert f"HTTP {status}" in error.detail


@pytest.mark.parametrize("body", [b"<html>", b"OK", b"[]", b"{}", b'{"status_code": 99}'])
def test_a_good_status_with_an_unreadable_body_is_garbage(peer: Peer, client: OcpiClient, body: bytes) -> None:
    with pytest.raises(PeerGarbage) as caught:
        client.post(peer.sends("/x", body), {})
    assert not caught.value.permanent


def test_the_pause_a_peer_asks_for_is_read_in_both_forms(peer: Peer, client: OcpiClient) -> None:
    assert refused(client.get, peer.says("/s", status=429, code=2000, Retry_After="7")).retry_after == 7
    later = http_date(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    pause = refused(client.get, peer.says("/d", status=503, code=3000, Retry_After=later)).retry_after
    assert pause is not None and 3500 < pause <= 3600
    past = refused(client.get, peer.says("/p", status=503, code=3000, Retry_After="Fri, 31 Dec 1999 23:59:59 GMT"))
    assert past.retry_after == 0
    assert refused(client.get, peer.says("/n", status=503, code=3000, Retry_After="soon")).retry_after is None
    assert refused(client.get, peer.says("/o", status=503, code=3000)).retry_after is None


def test_the_guard_stands_before_every_request(peer: Peer) -> None:
    with make_client(allow_private=False) as client, pytest.raises(PeerForbiddenAddress):
        client.get(peer.says("/x"))
    with make_client(require_https=True) as client, pytest.raises(PeerForbiddenAddress):
        client.get(peer.says("/x"))
    assert peer.received == []


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http://", "http://a b/", "http://user:pw@127.0.0.1/"])
def test_an_address_that_is_none_is_refused_for_good(client: OcpiClient, url: str) -> None:
    with pytest.raises(PeerForbiddenAddress):
        client.get(url)


def test_an_untypable_raw_token_is_a_peer_error_not_a_crash(peer: Peer) -> None:
    for token in ("a\nb", "€"):
        client = OcpiClient(token, encode_token=False, allow_private=True, require_https=False)
        with client, pytest.raises(PeerUnreachable):
            client.get(peer.says("/x"))
    assert peer.received == []


def test_pages_are_followed_by_their_link_as_it_stands(peer: Peer, client: OcpiClient) -> None:
    peer.says("/list?limit=2", [{"id": "1"}, {"id": "2"}], Link=f'<{peer.url}/elsewhere?cursor=%2Fx>; rel="next"')
    peer.says("/elsewhere?cursor=%2Fx", [{"id": "3"}])
    pages = list(client.get_pages(f"{peer.url}/list", {"limit": "2"}))
    assert [[item["id"] for item in page.objects] for page in pages] == [["1", "2"], ["3"]]
    assert [page.following for page in pages] == [f"{peer.url}/elsewhere?cursor=%2Fx", None]
    assert [request.path for request in peer.received] == ["/list?limit=2", "/elsewhere?cursor=%2Fx"]
    first, second = (request.headers for request in peer.received)
    assert first["X-Correlation-ID"] == second["X-Correlation-ID"]
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_a_bad_entry_does_not_hide_the_good_ones(
    peer: Peer, client: OcpiClient, caplog: pytest.LogCaptureFixture
) -> None:
    url = peer.says("/list", [{"id": "1"}, "oops", None, {"id": "2"}])
    [page] = client.get_pages(url)
    assert [item["id"] for item in page.objects] == ["1", "2"]
    assert "Skipped a list entry of type str" in caplog.text


def test_a_list_without_data_is_empty_and_another_type_is_garbage(peer: Peer, client: OcpiClient) -> None:
    assert [page.objects for page in client.get_pages(peer.says("/empty"))] == [[]]
    with pytest.raises(PeerGarbage):
        list(client.get_pages(peer.says("/object", {"id": "1"})))


@pytest.mark.parametrize("elsewhere", ["http://other.example:1/list", "http://127.0.0.1:1/list", "//other.example/x"])
def test_a_next_page_at_another_host_does_not_get_our_token(peer: Peer, client: OcpiClient, elsewhere: str) -> None:
    url = peer.says("/list", [{"id": "1"}], Link=f'<{elsewhere}>; rel="next"')
    with pytest.raises(PeerRefused, match="goes on at another host") as caught:
        list(client.get_pages(url))
    assert caught.value.permanent
    assert len(peer.received) == 1


@responses.activate
def test_a_next_page_without_encryption_does_not_get_our_token() -> None:
    link = '<http://ptp.example/list?offset=1>; rel="next"'
    responses.get("https://ptp.example/list", json={"status_code": 1000, "data": []}, headers={"Link": link})
    secured = OcpiClient("t", allow_private=True, require_https=False)
    with secured, pytest.raises(PeerRefused, match="without encryption"):
        list(secured.get_pages("https://ptp.example/list"))
    assert len(responses.calls) == 1


def test_other_links_do_not_count_and_pages_in_a_circle_end(peer: Peer, client: OcpiClient) -> None:
    url = peer.says("/list", [{"id": "1"}], Link=f'<{peer.url}/a>; rel="prev", <{peer.url}/b>; rel="first"')
    assert len(list(client.get_pages(url))) == 1
    circle = peer.says("/circle", [{"id": "1"}], Link=f'<{peer.url}/circle>; rel="next"')
    with pytest.raises(PeerGarbage, match="never end"):
        list(client.get_pages(circle))


@responses.activate
def test_the_http_client_can_be_mocked_without_a_network() -> None:
    responses.patch("https://ptp.example/x", json={"status_code": 1000, "data": None})
    with make_client(allow_private=False, require_https=True) as client:
        assert client.patch("https://ptp.example/x", {"a": 1}).status_code == 1000
    assert json.loads(responses.calls[0].request.body) == {"a": 1}


def test_every_failure_is_a_peer_error_with_a_sentence(peer: Peer, client: OcpiClient) -> None:
    for url in (peer.url + "/none", "http://127.0.0.1:1/", peer.says("/bad", code=2000)):
        with pytest.raises(PeerError) as caught:
            client.get(url)
        assert caught.value.detail == str(caught.value) != ""
        assert "secret-token" not in caught.value.detail
