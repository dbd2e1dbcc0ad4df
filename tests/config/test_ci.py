"""What the verdict on a commit says of an audit of the dependencies that came to nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_database

RUN = Path(__file__).resolve().parents[2] / ".ci" / "run"


def audited(folder: Path, said: str, code: int, found: str = "") -> subprocess.CompletedProcess[str]:
    """The step of `.ci/run`, with a `make` that says so and ends so."""
    tools = folder / "bin"
    tools.mkdir()
    wrote = f"printf '%s' '{found}' > build/audit.json\n" if found else ""
    (tools / "make").write_text(f"#!/bin/sh\n{wrote}echo '{said}'\nexit {code}\n")
    (tools / "make").chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    step = f"""set -euo pipefail; BIN={tools}; source <(sed -n '/^NO_ANSWER=/p; /^audit()/,/^}}/p' {RUN}); audit"""
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", step], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("said", "code"),
    [("requests.exceptions.ConnectionError: no route", 2), ("Read timed out", 2), ("", 124), ("all skipped", 0)],
)
def test_an_audit_without_an_answer_is_said_to_be_none_and_hinders_nothing(tmp_path, said, code):
    done = audited(tmp_path, said, code)
    assert done.returncode == 0 and "NOT AUDITED" in done.stdout


def test_an_audit_that_fails_by_itself_fails_the_verdict_and_tells_why(tmp_path):
    done = audited(tmp_path, "No module named pip_audit", 2)
    assert done.returncode == 2
    assert "No module named pip_audit" in done.stdout and "NOT AUDITED" not in done.stdout


def test_a_known_vulnerability_fails_the_verdict(tmp_path):
    found = '{"dependencies": [{"name": "django", "vulns": [{"id": "CVE-1"}]}]}'
    done = audited(tmp_path, "Found 1 known vulnerability", 1, found)
    assert done.returncode == 1 and "CVE-1" in done.stdout
