"""Every OCPI message of both directions can be read afterwards, without its secrets, at no cost to the request."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.logs import Correlation
from infrastructure.secrets import decrypt
from roaming.choices import Direction, Module
from roaming.models import Message, Push, RoamingPlatform
from roaming.ocpi.errors import PeerError
from roaming.ocpi.headers import encode_token
from roaming.services import credentials, messages, push, tokens
from roaming.tasks import delete_old_messages
from tests.roaming.client import client_with
from tests.roaming.factories import (
    DocumentFactory,
    PlatformFactory,
    ProfileFactory,
    message_row,
)
from tests.roaming.peer import envelope

pytestmark = pytest.mark.django_db

CARD = "4111111111111111"
UID = "04A1B2C3D4E5F6"
CONTRACT = "NL-PTP-C00012345"
REFERENCE = "AUTH-2025-000001"


@pytest.fixture(autouse=True)
def log(settings, monkeypatch) -> None:
    """The log as it is, but written when the test asks for it."""
    settings.MESSAGE_LOG_DAYS = 30
    monkeypatch.setattr(messages.writer, "is_threaded", False)
    messages._strangers._minute = -1  # those of other tests of this minute would use up what may be logged
    yield
    messages.writer._take()


def logged(**fields: Any) -> list[Message]:
    messages.flush()
    return list(Message.objects.filter(**fields).order_by("pk"))


def text_of(message: Message) -> str:
    """The whole row."""
    return json.dumps({field.attname: str(getattr(message, field.attname)) for field in Message._meta.fields})


def start_session(**fields: Any) -> dict[str, Any]:
    token = {
        "country_code": "NL",
        "party_id": "PTP",
        "uid": UID,
        "type": "AD_HOC_USER",
        "contract_id": CONTRACT,
        "visual_number": f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}",
        "issuer": "Terminals",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2025-01-01T00:00:00Z",
    }
    return {
        "response_url": "https://ptp.example/results/7?access=0123456789abcdef0123",
        "token": token,
        "location_id": "LOC-1",
        "authorization_reference": REFERENCE,
        **fields,
    }


# What peers ask of us


def test_a_request_is_logged_with_its_answer(ocpi, platform):
    DocumentFactory(platform=platform, object_id="LOC-1")
    ocpi.call("GET", "2.2.1/locations/LOC-1/?x=1", **{"X-Request-ID": "request-1", "X-Correlation-ID": "correlation-1"})
    [message] = logged()
    assert (message.platform, message.direction) == (platform, Direction.IN)
    assert (message.method, message.url) == ("GET", "/ocpi/2.2.1/locations/LOC-1?x=1")
    assert (message.module, message.object_id) == (Module.LOCATIONS, "LOC-1")
    assert (message.request_id, message.correlation_id) == ("request-1", "correlation-1")
    assert (message.http_status, message.status_code, message.is_ok) == (200, 1000, True)
    assert json.loads(message.response_body)["data"] == {"id": "LOC-1"}
    assert message.response_size == len(message.response_body)
    assert timezone.now() - message.started_at < timedelta(minutes=1)


def test_ids_that_we_make_are_those_that_the_peer_gets(ocpi):
    response = ocpi.call("GET", "versions")
    [message] = logged()
    assert (message.request_id, message.correlation_id) == (response["X-Request-ID"], response["X-Correlation-ID"])
    assert message.module == "versions"


def test_a_refusal_is_logged_with_its_reason(ocpi):
    ocpi.call("GET", "2.2.1/locations/UNKNOWN")
    [message] = logged()
    assert (message.http_status, message.status_code, message.is_ok) == (404, 2000, False)
    assert message.error == json.loads(message.response_body)["status_message"] != ""


def test_an_unknown_address_is_logged(ocpi):
    ocpi.call("GET", "3.0/nothing/here")
    [message] = logged()
    assert (message.platform, message.http_status, message.url) == (None, 404, "/ocpi/3.0/nothing/here")


def test_a_stranger_is_logged_without_body_and_only_so_often():
    client = client_with("not-a-token-of-ours")
    for _ in range(messages.STRANGERS_PER_MINUTE + 5):
        client.call("POST", "2.2.1/credentials", {"token": "a-token-for-us"})
    rows = logged()
    assert len(rows) == messages.STRANGERS_PER_MINUTE
    assert (rows[0].platform, rows[0].http_status, rows[0].request_body) == (None, 401, "")
    assert not [row for row in rows if "not-a-token-of-ours" in text_of(row)]


def test_a_command_keeps_its_reference_but_neither_token_nor_card(ocpi, platform):
    ocpi.call("POST", "2.2.1/commands/START_SESSION", start_session())
    [message] = logged()
    assert (message.object_id, message.authorization_reference) == ("START_SESSION", REFERENCE)
    body = json.loads(message.request_body)
    assert body["token"]["uid"] == "***E5F6"
    assert body["token"]["contract_id"] == "***2345"
    assert body["token"]["visual_number"] == "***1111"
    assert body["location_id"] == "LOC-1"
    row = text_of(message)
    for secret in (UID, CONTRACT, CARD, "0123456789abcdef", "our-partner", encode_token("our-partner")):
        assert secret not in row


def test_a_financial_advice_keeps_no_card_number(ocpi):
    advice = {
        "id": "advice-1",
        "authorization_reference": REFERENCE,
        "total_costs": {"excl_vat": 10, "incl_vat": 12},
        "currency": "EUR",
        "eft_data": ["VISA", f"PAN {CARD}", "5413 3300 8900 0016", "541333******0016", "12.00 EUR"],
        "capture_status_code": "SUCCESS",
        "capture_status_message": f"captured from {CARD}",
        "last_updated": "2025-01-01T00:00:00Z",
    }
    ocpi.call("POST", "2.2.1/payments/financial-advice-confirmations", advice)
    [message] = logged()
    assert message.is_ok, message.error
    assert message.authorization_reference == REFERENCE
    row = text_of(message)
    assert not [secret for secret in (CARD, "5413", "411111") if secret in row]
    assert "VISA" in row and "12.00 EUR" in row


def test_garbage_is_logged_as_it_is(ocpi):
    ocpi.call("POST", "2.2.1/commands/START_SESSION", b"\xff\x00<html>" + json.dumps({"uid": UID}).encode())
    [message] = logged()
    assert message.http_status == 400
    assert "<html>" in message.request_body and UID not in message.request_body


def test_long_bodies_are_cut(ocpi, platform):
    DocumentFactory.create_batch(20, platform=platform, body={"id": "x", "name": "n" * 2000})
    ocpi.call("GET", "2.2.1/locations")
    ocpi.call("POST", "2.2.1/commands/START_SESSION", start_session(remark="r" * 100_000))
    page, command = logged()
    assert len(page.response_body) == messages.MAX_LIST < page.response_size
    assert len(command.request_body) == messages.MAX_BODY < command.request_size
    assert page.status_code == 1000


def test_the_cut_leaves_no_half_of_a_token(ocpi):
    body = json.dumps(start_session())
    filler = messages.MAX_BODY - body.index(UID) - 8  # the cut falls into the uid
    ocpi.call("POST", "2.2.1/commands/START_SESSION", body.replace("{", "{" + " " * filler, 1).encode())
    [message] = logged()
    assert len(message.request_body) == messages.MAX_BODY
    assert UID[:4] not in message.request_body


def test_logging_costs_a_request_no_query(ocpi, platform, settings):
    DocumentFactory(platform=platform)

    def queries() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert ocpi.call("GET", "2.2.1/locations").status_code == 200
        return [query["sql"] for query in captured]

    queries()
    with_log = queries()
    settings.MESSAGE_LOG_DAYS = 0
    assert len(queries()) == len(with_log)
    assert not [sql for sql in with_log if "roaming_message" in sql]


def test_without_days_nothing_is_kept(ocpi, settings):
    settings.MESSAGE_LOG_DAYS = 0
    ocpi.call("GET", "versions")
    assert logged() == []


# What we ask of peers


@pytest.fixture
def connected(platform, peer) -> RoamingPlatform:
    peer.accepted = {"client-token"}
    for module in (Module.LOCATIONS, Module.CDRS):
        platform.endpoints.create(identifier=module, role="RECEIVER", url=f"{peer.url}/2.2.1/{module}")
    return platform


def delivered(platform: RoamingPlatform, module: Module, object_id: str) -> Push:
    with transaction.atomic():
        push.enqueue(platform, module, object_id)
    row = Push.objects.get()
    push.deliver_next(row.platform_id)
    row.refresh_from_db()
    return row


def test_a_push_is_logged_with_the_ids_that_the_peer_got(connected, peer):
    token = {"country_code": "NL", "party_id": "PTP", "uid": UID, "contract_id": CONTRACT}
    body = {"id": "C1", "cdr_token": token, "authorization_reference": REFERENCE}
    DocumentFactory(platform=connected, module=Module.CDRS, object_id="C1", body=body)
    peer.answers["POST", "/2.2.1/cdrs"] = (200, envelope())
    delivered(connected, Module.CDRS, "AT/PLG/C1")
    [message] = logged()
    [call] = peer.calls("POST")
    assert (message.platform, message.direction, message.is_ok) == (connected, Direction.OUT, True)
    assert (message.method, message.url) == ("POST", f"{peer.url}/2.2.1/cdrs")
    assert (message.module, message.object_id) == (Module.CDRS, "C1")
    assert message.authorization_reference == REFERENCE
    assert message.request_id == call.headers["x-request-id"]
    assert message.correlation_id == call.headers["x-correlation-id"]
    row = text_of(message)
    assert not [secret for secret in (UID, CONTRACT, "client-token", encode_token("client-token")) if secret in row]


def test_a_failed_push_tells_why_and_its_log_lines_carry_its_correlation_id(connected, peer, caplog):
    DocumentFactory(platform=connected, object_id="LOC-1", body={"id": "LOC-1"})
    peer.answers["PUT", "/2.2.1/locations/AT/PLG/LOC-1"] = (503, b"<html>client-token is down</html>")
    caplog.handler.addFilter(Correlation())
    row = delivered(connected, Module.LOCATIONS, "AT/PLG/LOC-1")
    [message] = logged()
    assert (message.is_ok, message.http_status, message.status_code) == (False, 503, None)
    assert message.error == row.last_error != ""
    assert message.response_body == "<html>*** is down</html>"
    [line] = [record for record in caplog.records if record.name == "roaming.services.push"]
    assert line.correlation == f" [{message.correlation_id}]"


def test_an_unreachable_peer_is_logged(connected):
    with credentials.client_for(connected) as client, pytest.raises(PeerError):
        client.get("http://127.0.0.1:9/2.2.1/sessions/AT/PLG/S1")
    [message] = logged()
    assert (message.http_status, message.is_ok, message.object_id) == (None, False, "S1")
    assert "cannot be reached" in message.error


def test_garbage_of_a_peer_is_logged(connected, peer):
    peer.answers["GET", "/2.2.1/tokens"] = (200, b"<html>Welcome</html>")
    with credentials.client_for(connected) as client, pytest.raises(PeerError):
        client.get(f"{peer.url}/2.2.1/tokens")
    [message] = logged()
    assert (message.http_status, message.is_ok, message.response_body) == (200, False, "<html>Welcome</html>")
    assert message.error


def test_the_uid_in_the_address_of_a_token_is_masked(connected, peer):
    with credentials.client_for(connected) as client, pytest.raises(PeerError):
        client.post(f"{peer.url}/2.2.1/tokens/{UID}/authorize", None)
    [message] = logged()
    assert (message.url, message.object_id) == (f"{peer.url}/2.2.1/tokens/***E5F6/authorize", "***E5F6/authorize")
    assert UID not in text_of(message)


def test_a_handshake_is_logged_without_any_token(peer):
    peer.accepted = {"token-a-of-the-peer"}
    platform = PlatformFactory(url=peer.versions_url, profiles=[ProfileFactory()])
    tokens.store_partner_token(platform, "token-a-of-the-peer")
    assert credentials.register(platform).is_ok
    rows = logged(platform=platform)
    assert [(row.method, row.module) for row in rows] == [
        ("GET", "versions"),
        ("GET", "versions"),
        ("POST", "credentials"),
    ]
    ours = peer.calls("POST")[0].body["token"]
    theirs = decrypt(platform.client_token_encrypted)
    for secret in (ours, theirs, "token-a-of-the-peer"):
        assert not [row for row in rows if secret in text_of(row) or encode_token(secret) in text_of(row)]


# Log lines


def test_log_lines_of_a_request_carry_its_correlation_id(ocpi, caplog, monkeypatch):
    monkeypatch.setattr("roaming.views.base.platform_for", lambda authorization: 1 / 0)
    caplog.handler.addFilter(Correlation())
    ocpi.call("GET", "versions", **{"X-Correlation-ID": "correlation-1\r\nERROR forged"})
    logging.getLogger("roaming").warning("afterwards")
    [line] = [record for record in caplog.records if record.name == "roaming.views.base"]
    assert line.correlation == " [correlation-1ERROR forged]"
    assert caplog.records[-1].correlation == ""


# Keeping and forgetting


def test_old_messages_are_forgotten(settings, monkeypatch):
    settings.MESSAGE_LOG_DAYS = 7
    monkeypatch.setattr(messages, "_DELETE_AT_ONCE", 2)
    kept = message_row(started_at=timezone.now() - timedelta(days=6, hours=23))
    for _ in range(5):
        message_row(started_at=timezone.now() - timedelta(days=7, hours=1))
    delete_old_messages()
    assert list(Message.objects.all()) == [kept]


def test_messages_outlive_their_platform(ocpi, platform):
    ocpi.call("GET", "versions")
    [message] = logged()
    platform.delete()
    message.refresh_from_db()
    assert message.platform is None


@pytest.mark.django_db(transaction=True)
def test_a_platform_deleted_meanwhile_costs_no_message(ocpi, platform):
    ocpi.call("GET", "versions")
    platform.delete()
    [message] = logged()
    assert (message.platform, message.module) == (None, "versions")


@pytest.mark.django_db(transaction=True)
def test_the_thread_writes_what_a_server_answered(platform, live_server, monkeypatch):
    monkeypatch.setattr(messages.writer, "is_threaded", True)
    headers = {"Authorization": f"Token {encode_token('our-partner')}", "X-Request-ID": "over a socket"}
    assert requests.get(f"{live_server.url}/ocpi/versions", headers=headers, timeout=10).status_code == 200
    messages.writer.close()
    [message] = Message.objects.all()
    assert (message.platform, message.request_id, message.is_ok) == (platform, "over a socket", True)
