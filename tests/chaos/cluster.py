"""Plugtill as a cluster of processes that can be killed one by one, behind a balancer that can cut connections."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests
from cryptography.fernet import Fernet

from config.celery import PEERS, WORK, worker_options
from tests.chaos.servers import Postgres, Redis, wait_until
from tests.e2e.plugtill import HEALTHY_WITHIN, PROJECT, STOPPED_WITHIN, PlugtillProcess, free_port

WEB = "web"
OTHER_WEB = "other-web"
BEAT = "beat"


class Balancer:
    """Takes every connection to the one web process that is chosen, and forgets them when told."""

    def __init__(self) -> None:
        self.upstream = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, without a goodbye."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


class Cluster(PlugtillProcess):
    """Two web processes, a worker of each queue and a beat. Everything comes through the balancer."""

    def __init__(self, folder: Path, postgres: Postgres, redis: Redis, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self.postgres, self.redis = postgres, redis
        self.balancer = Balancer()
        self.port = self.balancer.port
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._ports = {WEB: free_port(), OTHER_WEB: free_port()}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for name in list(self._running):
            self.kill_process(name)
        self.balancer.close()

    def start(self) -> None:
        self.manage("migrate", "--no-input")
        for name in (WEB, WORK, PEERS, BEAT):
            self.start_process(name)
        self.use(WEB)

    def kill(self) -> None:
        for name in list(self._running):
            self.kill_process(name)

    def use(self, web: str) -> None:
        """Every new connection goes to this web process."""
        self.balancer.upstream = self._ports[web]

    def start_process(self, name: str, **environment: str) -> None:
        with (self._folder / "plugtill.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._command(name),
                cwd=PROJECT,
                env={**self.environment, "PGAPPNAME": name, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if name in self._ports:
            wait_until(lambda: self._web_answers(name), name, HEALTHY_WITHIN)

    def kill_process(self, name: str) -> None:
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_process(self, name: str) -> int:
        """As a service manager does it. The exit code."""
        process = self._running.pop(name)
        process.terminate()
        return process.wait(STOPPED_WITHIN)

    def _command(self, name: str) -> list[str]:
        if name in self._ports:
            return [sys.executable, "manage.py", "serve", "--only", "web", "--port", str(self._ports[name])]
        celery = [sys.executable, "-m", "celery", "-A", "config"]
        return [*celery, BEAT] if name == BEAT else [*celery, *worker_options(name)]

    def _web_answers(self, name: str) -> bool:
        assert self._running[name].poll() is None, f"{name} ended at its start:\n{self.log[-4000:]}"
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self._ports[name]}/healthz", timeout=5).ok
        return False

    def _own_variables(self) -> dict[str, str]:
        return {
            "DATA_DIR": str(self._folder / "data"),
            "PUBLIC_URL": self.base_url,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "SECRET_KEY": "only-for-tests",
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "PEERS_ALLOW_PRIVATE_ADDRESSES": "True",
            "PYTHONUNBUFFERED": "1",
        }
