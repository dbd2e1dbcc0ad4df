"""An embedded Plugtill whose disk runs full. The disk is a small tmpfs in a mount namespace of its own, so that the
kernel itself says "no space left on device"; where users may make namespaces, this needs no privilege."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.conftest import SLOWLY, Report
from tests.chaos.servers import wait_until
from tests.e2e.cast import GARAGE_1, PATIENCE_AFTER_A_KILL, Cast
from tests.e2e.plugtill import PROJECT, PlugtillProcess
from tests.e2e.settlement import settle_once

SIZE = "64m"
FULL_FOR_S = 20.0
COUNTED = ("chargers_chargingsession", "chargers_cdr", "payments_invoice")
EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "SESSION_PROGRESS_SECONDS": "1"}
EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"


@dataclass
class SmallDisk:
    """Lives as long as the process that holds its namespace, also while Plugtill is stopped."""

    folder: Path
    holder: "subprocess.Popen[str]"

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command is put behind to see the disk."""
        namespaces = ("--target", str(self.holder.pid), "--user", "--mount", "--preserve-credentials")
        return ("nsenter", *namespaces, f"--wd={PROJECT}")

    @property
    def seen_from_here(self) -> Path:
        return Path(f"/proc/{self.holder.pid}/root{self.folder}")

    def fill(self) -> None:
        # What a write-ahead log has room for is written without asking for more: it begins anew, with nothing.
        code = f"import sqlite3; sqlite3.connect('{self.folder}/plugtill.sqlite3').execute('{EMPTY_LOG}')"
        subprocess.run([*self.inside, sys.executable, "-c", code], check=True)
        with (self.seen_from_here / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def make_room(self) -> None:
        (self.seen_from_here / "ballast").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "data"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size={SIZE} tmpfs '{folder}' && echo mounted && exec sleep infinity"
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "mounted\n"
    yield SmallDisk(folder, holder)
    holder.kill()
    holder.wait()


def test_disk_full(disk: SmallDisk, tmp_path: Path, report: Report) -> None:
    """disk full under SQLite while a session runs and ends, room again after 20 s"""
    plugtill = PlugtillProcess(tmp_path, EMBEDDED, inside=disk.inside, empty=True)
    with Cast(tmp_path, plugtill=plugtill, options=SLOWLY, chargers=("DEMO-AC-1",)) as cast:
        (reference,) = cast.begin(GARAGE_1)
        disk.fill()
        report.strikes()
        cast.stop_at_charger(GARAGE_1)
        wait_until(lambda: "disk is full" in plugtill.log, "the words", 60)
        time.sleep(FULL_FOR_S)
        disk.make_room()
        settle_once(cast, reference, PATIENCE_AFTER_A_KILL)
        assert plugtill.stop() == 0
        # A copy: SQLite itself would follow the way back to our own side.
        shutil.copytree(disk.seen_from_here, tmp_path / "copy")
        with closing(sqlite3.connect(tmp_path / "copy" / "plugtill.sqlite3")) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            counts = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTED]
            (last_number,) = file.execute("SELECT last_number FROM payments_invoiceseries").fetchone()
        assert counts == [1, 1, 1] and last_number == 1
        report.is_whole("1 session, 1 CDR delivered, 1 invoice; PRAGMA integrity_check: ok")
