import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from roaming.ocpi import transport
from roaming.ocpi.client import OcpiClient
from roaming.ocpi.errors import PeerForbiddenAddress, PeerGarbage, PeerRefused, PeerUnreachable
from tests.roaming.ocpi.loopback import Peer

GOOD = b'{"status_code":1000,"data":"fine"}'


@pytest.fixture
def client() -> Iterator[OcpiClient]:
    with OcpiClient("t", allow_private=True, require_https=False, timeout=(0.3, 0.3)) as client:
        yield client


def test_the_connection_goes_to_the_judged_address_under_the_given_name(
    peer: Peer, client: OcpiClient, names: dict[str, list[str]]
) -> None:
    names["ptp.example"] = ["127.0.0.1"]
    peer.says("/x")
    client.get(f"http://ptp.example:{peer.port}/x")
    assert peer.received[0].headers["Host"] == f"ptp.example:{peer.port}"


def test_a_name_is_resolved_once_so_a_second_answer_cannot_lead_elsewhere(
    peer: Peer, client: OcpiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: object, **kwargs: object) -> list:
        asked.append(host)
        if host == "rebound.example":
            # First the address to be judged, then, had anyone asked again, another one.
            return real("127.0.0.1" if asked.count(host) == 1 else "127.0.0.2", port, type=socket.SOCK_STREAM)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    peer.says("/x")
    client.get(f"http://rebound.example:{peer.port}/x")
    assert asked.count("rebound.example") == 1


def test_a_name_that_turns_inside_between_two_requests_is_refused_the_second_time(
    peer: Peer, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "create_connection", lambda *_: socket.create_connection(("127.0.0.1", peer.port)))
    peer.says("/x")
    with OcpiClient("t", allow_private=False, require_https=False) as client:
        names["turning.example"] = ["93.184.216.34"]
        client.get(f"http://turning.example:{peer.port}/x")
        names["turning.example"] = ["127.0.0.1"]
        with pytest.raises(PeerForbiddenAddress):
            client.get(f"http://turning.example:{peer.port}/x")
    assert len(peer.received) == 1


def test_the_next_address_is_tried_when_the_first_does_not_answer(
    peer: Peer, client: OcpiClient, names: dict[str, list[str]]
) -> None:
    names["both.example"] = ["::1", "127.0.0.1"]
    peer.says("/x")
    assert client.get(f"http://both.example:{peer.port}/x").status_code == 1000


def test_a_connection_the_peer_closes_without_a_word_does_not_harm_the_next_request(
    peer: Peer, client: OcpiClient
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        write(handler, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))

    url = peer.runs("/x", answer)
    assert [client.post(url, {}).data for _ in range(20)] == ["fine"] * 20
    assert peer.received[0].headers["Connection"] == "close"


def test_environment_proxies_and_netrc_are_ignored(
    peer: Peer, client: OcpiClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    client.get(peer.says("/x"))
    assert peer.received[0].headers["Authorization"] == "Token dA=="


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_closed_port_is_unreachable(client: OcpiClient) -> None:
    with pytest.raises(PeerUnreachable, match="Connection refused") as caught:
        client.get(f"http://127.0.0.1:{closed_port()}/")
    assert not caught.value.permanent


def test_a_peer_that_does_not_answer_is_unreachable(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(PeerUnreachable, match="in time"):
        client.post(peer.runs("/x", lambda _: peer.done.wait(10)), {})


def write(handler: BaseHTTPRequestHandler, raw: bytes) -> None:
    handler.wfile.write(raw)
    handler.wfile.flush()


def test_a_peer_that_stops_in_the_middle_is_unreachable(peer: Peer, client: OcpiClient) -> None:
    def stop(handler: BaseHTTPRequestHandler) -> None:
        write(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + GOOD)

    def stall(handler: BaseHTTPRequestHandler) -> None:
        stop(handler)
        peer.done.wait(10)

    for path, answer in (("/stop", stop), ("/stall", stall)):
        with pytest.raises(PeerUnreachable):
            client.get(peer.runs(path, answer))


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_unreachable(peer: Peer, client: OcpiClient, raw: bytes) -> None:
    with pytest.raises(PeerUnreachable):
        client.get(peer.runs("/x", lambda handler: write(handler, raw)))


def test_an_answer_in_chunks_and_one_until_close_are_read(peer: Peer, client: OcpiClient) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:7], GOOD[7:])) + b"0\r\n\r\n"
    for path, raw in (
        ("/chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks),
        ("/close", b"HTTP/1.0 200 OK\r\n\r\n" + GOOD),
    ):
        url = peer.runs(path, lambda handler, raw=raw: write(handler, raw))  # type: ignore[misc]
        assert client.get(url).data == "fine"


def test_a_compressed_answer_is_read_and_a_broken_one_is_garbage(peer: Peer, client: OcpiClient) -> None:
    assert client.get(peer.sends("/zip", gzip.compress(GOOD), Content_Encoding="gzip")).data == "fine"
    with pytest.raises(PeerGarbage):
        client.get(peer.sends("/broken", b"not gzip", Content_Encoding="gzip"))


def test_an_answer_beyond_the_bound_is_not_read_to_its_end(
    peer: Peer, client: OcpiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BYTES", 1024 * 1024)
    with pytest.raises(PeerGarbage, match="larger than 1 MB"):
        client.get(peer.sends("/large", b" " * (1024 * 1024 + 1)))
    with pytest.raises(PeerGarbage, match="larger than 1 MB"):
        client.get(peer.sends("/bomb", gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"))


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (HEAD, b"X-Padding: a\r\n"),
        (HEAD + b"X-Endless: ", b"a"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        # Its end would be the end of the connection: what we cut off must not pass for the whole.
        (b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["headers", "one header", "body", "body until the end", "chunks", "interim answers"],
)
def test_an_answer_that_trickles_in_is_given_up(peer: Peer, beginning: bytes, drop: bytes) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        try:
            write(handler, beginning)
            while not peer.done.wait(0.02):
                write(handler, drop)
        except OSError:
            return

    url = peer.runs("/x", trickle)
    with OcpiClient("t", allow_private=True, require_https=False, timeout=(5.0, 5.0), max_seconds=0.2) as client:
        with pytest.raises(PeerUnreachable, match=r"not complete after 0\.2 seconds") as caught:
            client.get(url)
        assert not caught.value.permanent


def test_a_handshake_that_trickles_in_is_given_up() -> None:
    """A TLS record that announces more than ever comes."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        accepted, _ = listener.accept()
        with accepted:
            try:
                accepted.sendall(b"\x16\x03\x03\x3f\xff")
                while not done.wait(0.02):
                    accepted.sendall(b"\x02")
            except OSError:
                return

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        client = OcpiClient("t", allow_private=True, require_https=True, timeout=(5.0, 5.0), max_seconds=0.2)
        with client, pytest.raises(PeerUnreachable, match="not complete"):
            client.get(f"https://127.0.0.1:{listener.getsockname()[1]}/x")
    finally:
        done.set()
        thread.join()
        listener.close()


def test_the_deadline_holds_for_all_redirects_together(peer: Peer) -> None:
    def linger(handler: BaseHTTPRequestHandler) -> None:
        peer.done.wait(0.1)
        write(handler, b"HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")

    url = peer.runs("/x", linger)
    client = OcpiClient("t", allow_private=True, require_https=False, timeout=(5.0, 5.0), max_seconds=0.15)
    with client, pytest.raises(PeerUnreachable, match="not complete"):
        client.get(url)


def test_a_dns_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def hang(*_: object, **__: object) -> list:
        done.wait(10)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        client = OcpiClient("t", allow_private=True, require_https=False, max_seconds=0.1)
        with client, pytest.raises(PeerUnreachable, match="not complete"):
            client.get("http://slow.example/x")
    finally:
        done.set()


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_a_get_follows_a_redirect_within_its_host_with_the_token(peer: Peer, client: OcpiClient, status: str) -> None:
    peer.says("/new?a=1", "moved")
    assert client.get(peer.sends("/old", status=int(status), Location="/new?a=1")).data == "moved"
    assert [request.headers["Authorization"] for request in peer.received] == ["Token dA=="] * 2


@pytest.mark.parametrize("status", [307, 308])
def test_a_push_follows_only_a_redirect_that_keeps_it(peer: Peer, client: OcpiClient, status: int) -> None:
    peer.says("/new")
    client.post(peer.sends("/old", status=status, Location="/new"), {"a": 1})
    assert [(request.method, request.body) for request in peer.received] == [("POST", b'{"a":1}')] * 2


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_push_is_not_turned_into_a_get(peer: Peer, client: OcpiClient, status: int) -> None:
    peer.says("/new")
    with pytest.raises(PeerRefused, match="has moved to") as caught:
        client.post(peer.sends("/old", status=status, Location="/new"), {"a": 1})
    assert caught.value.permanent
    assert [request.path for request in peer.received] == ["/old"]


def test_a_redirect_to_another_host_does_not_get_our_token(
    peer: Peer, client: OcpiClient, names: dict[str, list[str]]
) -> None:
    names["other.example"] = ["127.0.0.1"]
    with pytest.raises(PeerRefused, match="another host") as caught:
        client.get(peer.sends("/old", status=302, Location=f"http://other.example:{peer.port}/new"))
    assert caught.value.permanent
    assert len(peer.received) == 1


def test_each_step_of_a_redirect_is_judged(
    peer: Peer, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "create_connection", lambda *_: socket.create_connection(("127.0.0.1", peer.port)))
    names["ptp.example"] = ["93.184.216.34"]

    def turn(handler: BaseHTTPRequestHandler) -> None:
        names["ptp.example"] = ["127.0.0.1"]
        write(handler, b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")

    peer.runs("/old", turn)
    with OcpiClient("t", allow_private=False, require_https=False) as client, pytest.raises(PeerForbiddenAddress):
        client.get(f"http://ptp.example:{peer.port}/old")
    assert [request.path for request in peer.received] == ["/old"]


def test_redirects_in_a_circle_end(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(PeerRefused, match="more than 3 times"):
        client.get(peer.sends("/x", status=307, Location="/x"))
    assert len(peer.received) == 4


def test_a_redirect_status_without_address_is_a_refusal(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(PeerRefused) as caught:
        client.get(peer.sends("/x", status=302))
    assert caught.value.http_status == 302


def make_certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "peer.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_peer(tmp_path: Path) -> Iterator[tuple[int, Path, list[str | None]]]:
    """A TLS server whose certificate is for ptp.example: port, certificate, and the server names it was asked."""
    path = make_certificate(tmp_path, "ptp.example")
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.sni_callback = lambda _, name, __: asked.append(name)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(accepted, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], path, asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_tls_uses_the_name_while_the_connection_uses_the_address(
    tls_peer: tuple[int, Path, list[str | None]], names: dict[str, list[str]]
) -> None:
    port, certificate, asked = tls_peer
    names["ptp.example"] = ["127.0.0.1"]
    with OcpiClient("t", allow_private=True, require_https=True) as client:
        client._session.verify = str(certificate)
        assert client.get(f"https://ptp.example:{port}/x").data == "fine"
    assert asked == ["ptp.example"]


def test_a_certificate_of_another_name_or_issuer_is_refused(
    tls_peer: tuple[int, Path, list[str | None]], names: dict[str, list[str]]
) -> None:
    port, certificate, _ = tls_peer
    names.update({"ptp.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    strict = OcpiClient("t", allow_private=True, require_https=True)
    with strict, pytest.raises(PeerUnreachable, match="No secure connection"):
        strict.get(f"https://ptp.example:{port}/x")
    with OcpiClient("t", allow_private=True, require_https=True) as client:
        client._session.verify = str(certificate)
        with pytest.raises(PeerUnreachable, match=r"No secure connection.*other\.example"):
            client.get(f"https://other.example:{port}/x")


def test_a_peer_without_encryption_at_an_https_address_is_told_in_words(peer: Peer, client: OcpiClient) -> None:
    with pytest.raises(PeerUnreachable, match="answers without encryption at this address"):
        client.get(peer.says("/x").replace("http:", "https:"))
