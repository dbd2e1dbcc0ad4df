"""PostgreSQL and Redis of the chaos tests: processes of their own on free ports, which may be killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import redis

from tests.e2e.plugtill import free_port

STARTED_WITHIN = 30.0
# PostgreSQL does not run as root.
POSTGRES_USER = "postgres"


def wait_until(is_true: Callable[[], Any], what: str, seconds: float = STARTED_WITHIN) -> Any:
    """The first true value. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := is_true():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


class Postgres:
    """A database cluster in a temporary folder, without passwords, on loopback only."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"postgres://{POSTGRES_USER}@127.0.0.1:{self.port}/postgres"
        self._folder = Path(tempfile.mkdtemp(prefix="plugtill-chaos-postgres-"))

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            user = pwd.getpwnam(POSTGRES_USER)
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "--username", POSTGRES_USER, "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "start", "--wait", "--log", str(self._folder / "log"), "--options", options)

    def stop(self) -> None:
        """Immediately, as a power cut of its host does it: it recovers from its log at the next start."""
        self._run("pg_ctl", "stop", "--mode", "immediate")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextmanager
    def hold(self, table: str) -> Iterator[None]:
        """Whoever reads or writes the table waits, until the end of the block."""
        with psycopg.connect(self.url, application_name="chaos") as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            yield
            connection.rollback()

    def waits_in(self, process: str, statement: str) -> bool:
        """Whether a process of Plugtill waits in a statement that begins so."""
        return bool(
            self.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = %s"
                " AND query LIKE %s",
                process,
                f"{statement}%",
            )
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [_postgres_program(program), "--pgdata", str(self._folder), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", POSTGRES_USER, "--", *command]
        # Not through a pipe: the server would inherit it and keep it open.
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _postgres_program(name: str) -> str:
    """Debian keeps servers' programs out of the PATH; the newest version counts."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    assert found, f"the chaos tests need PostgreSQL's server programs: {name} is not installed"
    return found


class Redis:
    """A Redis that keeps nothing on disk: a restart forgets everything."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL, cwd="/")
        wait_until(self._answers, "Redis")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), redis.Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False
