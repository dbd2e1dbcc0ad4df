"""What runs beside the web server."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from config.keyfiles import read_or_create
from config.processes import ChildProcesses, only_process_on

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    with only_process_on(tmp_path), pytest.raises(CommandError, match="already runs"), only_process_on(tmp_path):
        pass
    with only_process_on(tmp_path):
        pass


def test_children_are_stopped_at_the_end() -> None:
    with ChildProcesses(on_loss=lambda: None) as children:
        children.start({"a": SLEEP, "b": SLEEP})
        running = list(children._children.values())
        assert [child.poll() for child in running] == [None, None]
    assert all(child.poll() is not None for child in running)
    assert not children.is_lost


def test_the_loss_of_a_child_is_reported() -> None:
    lost = threading.Event()
    with ChildProcesses(on_loss=lost.set) as children:
        children.start({"a": SLEEP, "b": [sys.executable, "-c", "raise SystemExit(3)"]})
        assert lost.wait(10)
        assert children.is_lost


PARENT = """
import os, sys
from config.processes import ChildProcesses
children = ChildProcesses(on_loss=lambda: None)
children.start({"a": ["cat"]})
print("started", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel ends orphans")
def test_children_die_with_a_killed_parent() -> None:
    """The child inherits stdout: its end of file says that nobody holds it any longer."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        # Not communicate(), which closes stdin and so would end `cat` by itself.
        assert parent.stdout.read() == b"started\n"


def test_of_two_first_starts_both_read_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def generate_second() -> str:
        path.write_text("first\n")  # the other process was faster, at the worst moment
        return "second"

    assert read_or_create(path, generate_second) == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
