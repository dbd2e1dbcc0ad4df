"""What the benchmarks stand on: a database of their own, the processes to measure, and lines of figures."""

import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """A fresh one on that PostgreSQL server, dropped at the end."""
    name = f"plugtill_benchmark_{secrets.token_hex(4)}"
    administration = urlsplit(server_url)._replace(scheme="postgresql", path="/postgres").geturl()
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def environment(database_url: str, port: int) -> dict[str, str]:
    """Of Plugtill in this process and in those that it starts."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_hex(32),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
    }


def show_machine() -> None:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors, "
        f"load before {os.getloadavg()[0]:.1f}"
    )


@contextmanager
def server(port: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python COMMAND` in the project's folder, from when it listens on `port` until the end of the block."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        _wait_until_open(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def memory(pid: int) -> float:
    """Resident, in MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def processor_ms(pid: int) -> tuple[float, float]:
    """What the server and the backends of PostgreSQL (0 for one on another machine) have run so far, in ms.

    Tells more than the clock where other programs take turns on the same processors.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        backends = [row[0] for row in cursor.fetchall()]
    return _run_ms(pid), sum(_run_ms(backend) for backend in backends)


def _run_ms(pid: int) -> float:
    """Of all its threads, also those that ended: the processor time clock of a process (clock_getcpuclockid, 3)."""
    return time.clock_gettime((~pid << 3) | 2) * 1000


def line(name: str, value: str, *, is_ok: bool | None = None) -> None:
    mark = {None: "", True: "  ok", False: "  TOO SLOW OR WRONG"}[is_ok]
    print(f"{name:<52}{value:>22}{mark}", flush=True)
