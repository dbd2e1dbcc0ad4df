"""The demo's processes: Plugtill, the simulated provider and the simulated chargers, each with a log file."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from django.core.management.base import CommandError

PATIENCE = 60.0
STOP_WITHIN = 20.0
POLL = 0.1


def free_port(wanted: int = 0) -> int:
    """The wanted port if nobody listens there, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Starts processes and ends them again, last one first, whatever happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: dict[str, tuple[str, ...]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, *command: str) -> None:
        """Runs a Python command; its output goes to `<name>.log`."""
        self.commands[name] = command
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *command], stdout=log, stderr=subprocess.STDOUT, process_group=0, env=os.environ
            )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def stop(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check(self) -> None:
        """Raises CommandError with the end of its log when one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = "\n".join((self.folder / f"{name}.log").read_text().splitlines()[-15:])
                raise CommandError(f"{name} ended with exit code {process.returncode}:\n{tail}")

    def wait_for(self, what: str, is_there: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """The first true value of `is_there`. Raises CommandError when it does not come in time (seconds)."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.check()
            try:
                if value := is_there():
                    return value
            except requests.RequestException:
                pass
            time.sleep(POLL)
        raise CommandError(f"Waited {patience:.0f} s in vain for {what}. The logs are in {self.folder}.")


class Api:
    """JSON over HTTP to one of the simulators' control addresses."""

    def __init__(self, base: str) -> None:
        self.base = base

    def get(self, path: str) -> Any:
        return self._json(requests.get(self.base + path, timeout=10))

    def post(self, path: str, **body: Any) -> Any:
        return self._json(requests.post(self.base + path, json=body, timeout=30))

    def _json(self, answer: requests.Response) -> Any:
        answer.raise_for_status()
        return answer.json()
