"""A migrated database, made once and copied where one is needed: to migrate an empty one takes seconds of computing,
and a run of the tests needs more than a dozen. Whichever process asks first makes it, with `manage.py migrate`."""

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
BUILD = PROJECT / "build"
# What all processes of a run share; the first one makes it and removes it at its end.
FOLDER = "PLUGTILL_TEST_RUN"


def begin() -> bool:
    """Whether this process is the first one of its run."""
    if FOLDER in os.environ:
        return False
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="plugtill-test-run-")
    return True


def end() -> None:
    folder = Path(os.environ[FOLDER])
    if (note := folder / "template").exists():
        drop(os.environ["DATABASE_URL"], note.read_text())
    shutil.rmtree(folder, ignore_errors=True)


def copy_file(target: Path) -> None:
    """The migrated database of SQLite, as this new file. It is kept from run to run, for these very migrations."""
    target.parent.mkdir(parents=True, exist_ok=True)
    BUILD.mkdir(exist_ok=True)
    made = BUILD / f"migrated-{_digest()}.sqlite3"
    with _one_at_a_time(BUILD):
        if not made.exists():
            for old in BUILD.glob("migrated-*.sqlite3"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=BUILD) as folder:
                _migrate(DATA_DIR=folder, DATABASE_URL="", REDIS_URL="")
                (Path(folder) / "plugtill.sqlite3").rename(made)
        shutil.copyfile(made, target)


def template() -> str:
    """The name of the migrated database on the server of DATABASE_URL, which lasts as long as this run."""
    folder, url = Path(os.environ[FOLDER]), os.environ["DATABASE_URL"]
    note = folder / "template"
    with _one_at_a_time(folder):
        if not note.exists():
            name = f"plugtill_migrated_{secrets.token_hex(6)}"
            create(url, name)
            note.write_text(name)
            _migrate(DATABASE_URL=urlsplit(url)._replace(path=f"/{name}").geturl())
    return note.read_text()


def create(server_url: str, name: str, *, like: str = "") -> None:
    copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(like)) if like else sql.SQL("")
    _on(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied)


def drop(server_url: str, name: str) -> None:
    # FORCE: a process that was just killed may still have sessions open.
    _on(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _on(server_url: str, statement: sql.Composable) -> None:
    administration = urlsplit(server_url)._replace(scheme="postgresql", path="/postgres").geturl()
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest() -> str:
    """Of all that decides what a migrated database looks like: after the migrations the roles get their rights."""
    names = (
        "requirements.txt",
        "config/roles.py",
        "*/migrations/*.py",
        "*/models*.py",
        "*/*/models*.py",
        "*/models/*.py",
    )
    files = [file for name in names for file in sorted(PROJECT.glob(name))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _migrate(**environment: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity=0"]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
