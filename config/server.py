"""The web server: uvicorn, because OCPP clients need a real 401 or 404 on a refused websocket handshake."""

import gc
import signal
import socket
from types import FrameType

import uvicorn

from config.bounds import BoundedRequests

# The largest honest OCPP 1.6 messages (GetConfiguration answers, long MeterValues) stay well below.
MAX_WEBSOCKET_MESSAGE = 256 * 1024
# Chargers behind mobile networks vanish without a word; RFC 6455 pings find out, in seconds.
PING_INTERVAL = 20.0
PING_TIMEOUT = 20.0
# Seconds that calls to chargers and then running requests get when the server is told to stop.
CALLS_END_WITHIN = 5.0
GRACE_PERIOD = 10


class Server(uvicorn.Server):
    """Runs in the main thread and returns once SIGTERM or SIGINT stopped it, so that others can stop too."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                "config.asgi:application",
                host=host,
                port=port,
                http=BoundedRequests,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                # `config.proxies` does it.
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_PERIOD,
                ws_max_size=MAX_WEBSOCKET_MESSAGE,
                ws_ping_interval=PING_INTERVAL,
                ws_ping_timeout=PING_TIMEOUT,
            )
        )

    def bind(self) -> socket.socket:
        """The listening address, taken before anything else starts. Raises OSError when it is in use."""
        family = socket.AF_INET6 if ":" in self.config.host else socket.AF_INET
        taken = socket.socket(family)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((self.config.host, self.config.port))
        except OSError:
            taken.close()
            raise
        return taken

    def serve_until_stopped(self, listener: socket.socket) -> None:
        # Once stopped, uvicorn raises the signal again: these handlers keep that from ending the process.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive_signal)
        self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded now stays: looking through it for garbage again and again would stop all requests for a
        # tenth of a second each time.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets nobody in any more and waits for the answers of chargers; then uvicorn closes the websockets with
        1012, service restart (RFC 6455 registry), at which chargers connect again, and waits for running requests."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await self.lifespan.state["calls"].drain(CALLS_END_WITHIN)
        await super().shutdown(sockets)

    def stop(self) -> None:
        """May be called from any thread."""
        self.should_exit = True

    def _receive_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop()
