"""Processes beside the web server: the lock that keeps embedded ones apart, and the children of a cluster."""

import ctypes
import fcntl
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from django.core.management.base import CommandError

logger = logging.getLogger(__name__)

STOP_WITHIN = 15.0
PR_SET_PDEATHSIG = 1


@contextmanager
def only_process_on(folder: Path) -> Iterator[None]:
    """Holds the folder of an embedded installation. Raises CommandError while another process holds it.

    The lock is the kernel's, so a killed process leaves nothing behind.
    """
    with (folder / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Plugtill already runs on {folder}. Set DATA_DIR to another folder.") from None
        yield


class ChildProcesses:
    """Children that end with us: stopped on exit, and by the kernel should we be killed (Linux).

    `on_loss` is called, from another thread, when one ends by itself.
    """

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self.is_lost = False
        self._on_loss = on_loss
        self._is_stopping = False
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping = True
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            self._wait(child)

    def start(self, commands: dict[str, list[str]]) -> None:
        """Starts each in a process group of its own: Ctrl-C is for us to pass on, in our order."""
        for name, command in commands.items():
            child = subprocess.Popen(command, process_group=0, preexec_fn=_end_with_parent)
            self._children[name] = child
        for name in commands:
            threading.Thread(target=self._watch, args=(name,), name=f"watch-{name}", daemon=True).start()

    def _watch(self, name: str) -> None:
        code = self._children[name].wait()
        if not self._is_stopping:
            self.is_lost = True
            logger.error("%s ended with exit code %s", name, code)
            self._on_loss()

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        try:
            child.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    # Rows hold all state, so a sudden end is safe; a worker that outlives its parent is only confusing.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
