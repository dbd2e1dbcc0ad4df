"""The control API: a small HTTP server in a thread, its actions in the event loop of the charge point."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any

from chargers.simulator.charger import Charger
from chargers.simulator.connector import Connector
from chargers.simulator.link import Link

Body = dict[str, Any]
ACTION_TIMEOUT = 60.0


class Refused(Exception):
    """The action makes no sense now; the text says why."""


class Control:
    """What a tester may do. Each method of `actions` takes the JSON body and answers with the new state."""

    def __init__(self, charger: Charger, link: Link) -> None:
        self.charger, self.link = charger, link
        self.actions: dict[str, Callable[[Body], Awaitable[None]]] = {
            "/plug": self.plug,
            "/unplug": self.unplug,
            "/stop": self.stop,
            "/tap": self.tap,
            "/offline": self.offline,
            "/fault": self.fault,
            "/suspend": self.suspend,
            "/power": self.power,
            "/behave": self.behave,
            "/sign-certificate": self.sign_certificate,
            "/password": self.password,
        }

    def _connector(self, body: Body) -> Connector:
        number = body.get("connector", 1)
        if number not in self.charger.connectors:
            raise Refused(f"there is no connector {number}")
        return self.charger.connectors[number]

    async def plug(self, body: Body) -> None:
        self.charger.plug(self._connector(body))

    async def unplug(self, body: Body) -> None:
        self.charger.unplug(self._connector(body))

    async def stop(self, body: Body) -> None:
        connector = self._connector(body)
        if not connector.transaction:
            raise Refused(f"nothing runs on connector {connector.number}")
        self.charger.stop(connector, body.get("reason", "Local"))

    async def tap(self, body: Body) -> None:
        connector, id_tag = self._connector(body), str(body["id_tag"])
        self.charger.log.record("card_tapped", connector=connector.number, id_tag=id_tag)
        if self.charger.tapped(connector, id_tag):
            return
        parent_id_tag = await self.link.authorize(id_tag)
        if parent_id_tag is None:
            raise Refused("the card was not accepted")
        if not connector.can_start or not self.charger.reservations.admits(connector, id_tag, parent_id_tag):
            raise Refused(f"connector {connector.number} is {connector.status}")
        self.charger.authorised(connector, id_tag, parent_id_tag)

    async def offline(self, body: Body) -> None:
        self.link.drop(float(body.get("seconds", 5)))

    async def fault(self, body: Body) -> None:
        code = None if body.get("clear") else body.get("error_code", "UnderVoltage")
        self.charger.fail(self._connector(body), code, body.get("reason", "PowerLoss"))

    async def suspend(self, body: Body) -> None:
        self.charger.suspend(self._connector(body), not body.get("resume", False))

    async def power(self, body: Body) -> None:
        self.charger.set_power(self._connector(body), float(body["kw"]))

    async def behave(self, body: Body) -> None:
        self.charger.behaviour.change(body)

    async def sign_certificate(self, body: Body) -> None:
        self.charger.request_certificate(body.get("common_name"), body.get("organization"))

    async def password(self, body: Body) -> None:
        if not self.charger.change_password(str(body["password"])):
            raise Refused("a password has 16 to 40 characters")
        self.charger.reconnect()

    async def state(self) -> Body:
        """Everything there is to know about the charge point."""
        charger = self.charger
        return {
            "identity": charger.settings.identity,
            "online": charger.online,
            "booted": self.link.booted,
            "behaviour": asdict(charger.behaviour),
            "certificate": charger.certificate.described,
            "unsent": [message.kind for message in charger.outgoing.messages],
            "connectors": [self._describe(connector) for connector in charger.connectors.values()],
        }

    def _describe(self, connector: Connector) -> Body:
        connector.advance(time.monotonic())
        transaction = connector.transaction
        given = self.charger.outgoing.transaction_ids
        return connector.snapshot() | {
            "status": connector.status,
            "meter_wh": connector.meter_wh,
            "power_kw": connector.power_kw,
            "transaction_id": given.get(transaction.local_id) if transaction else None,
        }

    async def act(self, path: str, body: Body) -> Body:
        """Performs the action of a path; raises KeyError on an unknown one."""
        await self.actions[path](body)
        return await self.state()


def serve(control: Control, address: tuple[str, int]) -> ThreadingHTTPServer:
    """Starts to serve; the caller shuts the server down."""
    loop = asyncio.get_running_loop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/events":
                self._answer(200, control.charger.log.events())
            elif self.path == "/state":
                self._answer(200, self._in_loop(control.state()))
            else:
                self._answer(404, {"error": "GET /state or /events, POST " + ", ".join(control.actions)})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path not in control.actions:
                return self._answer(404, {"error": "POST " + ", ".join(control.actions)})
            try:
                self._answer(200, self._in_loop(control.act(self.path, json.loads(raw or b"{}"))))
            except (ValueError, TypeError, KeyError) as error:
                self._answer(400, {"error": f"{type(error).__name__}: {error}"})
            except Refused as error:
                self._answer(409, {"error": str(error)})

        def _in_loop(self, work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(ACTION_TIMEOUT)

        def _answer(self, status: int, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """The event log tells what was done."""

    class Server(ThreadingHTTPServer):
        # The usual one asks the name service who we are, which can take seconds.
        server_bind = TCPServer.server_bind

    server = Server(address, Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True, name="control").start()
    return server
