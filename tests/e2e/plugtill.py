"""Plugtill as a process of its own, for tests over real sockets that may kill it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psycopg
import requests
from cryptography.fernet import Fernet

from tests import migrated
from tests.e2e.servers import own_servers

PROJECT = Path(__file__).resolve().parent.parent.parent
# Seconds: long enough where several installations start at once beside other work.
HEALTHY_WITHIN = 180.0
STOPPED_WITHIN = 30.0
# An embedded Plugtill finds its own values for these, which is part of what is tested.
SET_FOR_UNIT_TESTS = {
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "PEERS_ALLOW_PRIVATE_ADDRESSES",
    "PEERS_REQUIRE_HTTPS",
}


class PlugtillProcess:
    """`manage.py serve` on a free port with data of its own, on the profile that the tests run on.

    The port and the data stay the same over `kill` and `restart`. `environment` adds or replaces variables.
    `beside`: a web process more of that installation. `inside` is what its commands are put behind. `empty`: it finds
    a database without tables, as on a new machine.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str] | None = None,
        *,
        beside: "PlugtillProcess | None" = None,
        inside: tuple[str, ...] = (),
        empty: bool = False,
    ) -> None:
        self._beside, self._empty = beside, empty
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "plugtill.log"
        self._folder, self._inside = folder, inside
        self._extra = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._servers = ExitStack()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._beside is not None:
            self.environment = {**self._beside.environment, "PORT": str(self.port), **self._extra}
            return self
        inherited = {name: value for name, value in os.environ.items() if name not in SET_FOR_UNIT_TESTS}
        # Several installations at once share the 100 connections of one server.
        self.environment = {**inherited, "DATABASE_POOL_SIZE": "5", **self._own_variables(), **self._extra}
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._servers.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "start() comes first"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def start(self) -> None:
        """Returns once it answers. Raises AssertionError with the end of its log when it does not."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._inside, sys.executable, "manage.py", "serve", *(["--only", "web"] if self._beside else [])],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_healthy()

    def terminate(self) -> None:
        """Tells it to stop, as a service manager does, and does not wait."""
        assert self._process is not None, "start() comes first"
        self._process.terminate()

    def stop(self) -> int:
        """As a service manager does it, with SIGTERM. Answers the exit code."""
        self.terminate()
        assert self._process is not None
        return self._process.wait(STOPPED_WITHIN)

    def kill(self) -> None:
        """As a power cut does it. In a cluster the kernel takes worker and beat along."""
        if self._process is not None and self.is_running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def manage(self, *arguments: str, timeout: float = HEALTHY_WITHIN) -> str:
        """Runs `manage.py` on the same data; its output. Raises AssertionError when it fails."""
        result = subprocess.run(
            [*self._inside, sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert result.returncode == 0, f"manage.py {' '.join(arguments)} failed:\n{result.stderr}"
        return result.stdout

    def execute(self, statement: str, *values: str) -> int:
        """Changes rows of the running Plugtill by SQL with `%s` in UTC, faster than `manage`; how many it changed."""
        if "DATABASE_URL" in self.environment:
            with psycopg.connect(self.environment["DATABASE_URL"], options="-c TimeZone=UTC") as server:
                return server.execute(statement.encode(), values).rowcount
        file = sqlite3.connect(self._folder / "data" / "plugtill.sqlite3", timeout=30)
        try:
            with file:
                return file.execute(statement.replace("%s", "?"), values).rowcount
        finally:
            file.close()

    def _own_variables(self) -> dict[str, str]:
        variables = {
            "DATA_DIR": str(self._folder / "data"),
            "PORT": str(self.port),
            "PUBLIC_URL": self.base_url,
        }
        if "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
            servers = own_servers(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], empty=self._empty)
            variables |= self._servers.enter_context(servers)
            variables |= {
                "SECRET_KEY": "only-for-tests",
                "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
                "PEERS_ALLOW_PRIVATE_ADDRESSES": "True",  # the peers of the tests live on loopback
            }
        elif not self._empty:
            migrated.copy_file(self._folder / "data" / "plugtill.sqlite3")
        return variables

    def _wait_until_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + HEALTHY_WITHIN
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"Plugtill ended at its start:\n{self.log[-4000:]}"
            if self._is_healthy():
                return
            time.sleep(0.05)
        raise AssertionError(f"Plugtill did not answer in {HEALTHY_WITHIN} s:\n{self.log[-4000:]}")

    def _is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
