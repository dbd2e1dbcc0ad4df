"""What answers before any app does."""

import asyncio
import logging

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from ocpp.exceptions import OCPPError
from ocpp.messages import unpack

from config.asgi import application
from config.logs import BrokenFrames, RefusedHandshakes
from infrastructure import wakeups


def test_health_needs_no_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.post("/healthz").status_code == 405


@pytest.mark.parametrize("path", ["/invoices/terminals/x%00", "/admin/login/?next=%00", "/admin/roaming/push/a%00/"])
def test_an_address_with_nul_is_refused_before_a_database_is_asked_for_it(client: Client, path: str) -> None:
    assert client.get(path).status_code == 400


def test_root_leads_to_the_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"


async def test_wake_ups_know_the_loop_while_the_server_runs() -> None:
    server = ApplicationCommunicator(application, {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    assert (await server.receive_output())["type"] == "lifespan.startup.complete"
    assert wakeups._event_loop is asyncio.get_running_loop()
    await server.send_input({"type": "lifespan.shutdown"})
    assert (await server.receive_output())["type"] == "lifespan.shutdown.complete"
    assert wakeups._event_loop is None


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ({"websocket.http.response": {}}, ["websocket.http.response.start", "websocket.http.response.body"]),
        ({}, ["websocket.close"]),
    ],
)
async def test_an_unknown_websocket_path_is_refused(extensions: dict[str, dict[str, str]], expected: list[str]) -> None:
    scope = {"type": "websocket", "path": "/nowhere", "extensions": extensions}
    server = ApplicationCommunicator(application, scope)
    await server.send_input({"type": "websocket.connect"})
    assert [(await server.receive_output())["type"] for _ in expected] == expected
    await server.wait()


def test_only_the_false_alarm_about_refused_handshakes_is_dropped() -> None:
    drop = RefusedHandshakes()

    def keeps(message: str) -> bool:
        return drop.filter(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, None, None))

    assert not keeps("ASGI callable returned without completing handshake.")
    assert keeps("Exception in ASGI application\n")


def failed(error: Exception) -> logging.LogRecord:
    """What `logger.exception` makes of it, after the filter."""
    message = "Unable to parse message: '%s'"
    info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("ocpp", logging.ERROR, "", 0, message, ("no json" * 100,), info)
    assert BrokenFrames().filter(record)
    return record


def test_a_broken_frame_is_one_warning_line() -> None:
    assert any(isinstance(one, BrokenFrames) for one in logging.getLogger("ocpp").filters)
    with pytest.raises(OCPPError) as broken:
        unpack("no json")
    record = failed(broken.value)
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage().startswith("Unable to parse") and len(record.getMessage()) < 400


def test_our_own_failures_keep_their_traceback() -> None:
    record = failed(RuntimeError("ours"))
    assert record.exc_info and record.levelname == "ERROR"
