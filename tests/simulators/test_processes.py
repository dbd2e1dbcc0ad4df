"""Both simulators as processes of their own, driven from outside as a tester would."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.simulators.fake_cpo import TOKEN_A, FakeCPO
from tests.simulators.fake_csms import FakeCSMS

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(module: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A simulator that prints JSON; ended as Ctrl-C does, which must leave no error behind."""
    command = [sys.executable, "-m", module, *options, "--json"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert running.stdout
        running.stdout.close()


def until(running: "subprocess.Popen[str]", name: str, what: str) -> dict[str, Any]:
    """The next printed event with this name."""
    assert running.stdout
    for line in running.stdout:
        event: dict[str, Any] = json.loads(line)
        if event[name] == what:
            return event
    raise AssertionError(f"ended without {what}")


async def test_a_driver_taps_at_a_charger_process_through_its_control_api() -> None:
    async with FakeCSMS() as csms:
        options = ("--identity", "CP/7", "--url", csms.url, "--control", "127.0.0.1:0", "--auto-plug", "never")
        with process("chargers.simulator", *options, "--speed-up", "1000") as running:
            url = (await asyncio.to_thread(until, running, "event", "control"))["url"]
            await csms.until(lambda: csms.statuses())

            async def act(path: str, expected: int = 200, **body: Any) -> Any:
                answer = await asyncio.to_thread(requests.post, url + path, json=body, timeout=10)
                assert answer.status_code == expected
                return answer.json()

            await act("/tap", connector=1, id_tag="CARD")
            await act("/plug", connector=1)
            await csms.until(lambda: "Charging" in csms.statuses())
            await act("/offline", seconds=0)
            await act("/fault", connector=9, expected=409)
            await act("/behave", nonsense=True, expected=400)
            state = await act("/stop", connector=1)
            assert state["connectors"][0]["status"] == "Finishing"
            await csms.until(lambda: csms.all("StopTransaction"))
            events = (await asyncio.to_thread(requests.get, f"{url}/events", timeout=10)).json()
            # Waited for here, while the fake back office can still answer the goodbye.
            running.send_signal(signal.SIGINT)
            await asyncio.to_thread(running.wait, 10)
    assert csms.all("StopTransaction")[0]["reason"] == "Local"
    assert csms.all("Authorize")[0]["id_tag"] == "CARD"
    names = [event["event"] for event in events]
    assert names.count("connected") == 2
    assert "start_transaction_sent" in names


def test_a_provider_process_is_commanded_from_another_shell(cpo: FakeCPO) -> None:
    versions = ("--plugtill-versions", f"{cpo.url}/versions", "--token", TOKEN_A)
    with process("payments.simulator", "--listen", "127.0.0.1:0", *versions) as running:
        url = until(running, "what", "listening")["versions"].removesuffix("/ocpi/versions")
        until(running, "what", "registered")
        sent = _command(url, "push-terminals")
        assert sent.returncode == 0 and len(json.loads(sent.stdout)) == 2
        assert _command(url, "tap", "L1", "E1").returncode == 2
        assert _command(url, "tap", "L1", "E1", "1").returncode == 1
        forced = _command(url, "--force", "--reference", "MINE", "tap", "L1", "E1", "1")
        assert json.loads(forced.stdout)["response"] == "ACCEPTED"
        assert cpo.until("POST", "commands/START_SESSION")["authorization_reference"] == "MINE"


def _command(url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "payments.simulator", "--control", url, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)


def test_neither_simulator_loads_django_or_plugtill() -> None:
    code = (
        "import sys, chargers.simulator.run, payments.simulator.run\n"
        "ours = ('django', 'config', 'roaming', 'tariffs', 'infrastructure')\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ours or m in ('chargers.models', 'payments.models')]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def test_the_management_commands_have_the_same_options() -> None:
    for name, option in (("simulate_charger", "--speed-up"), ("simulate_ptp", "--offer-token")):
        command = [sys.executable, "manage.py", name, "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=os.environ)
        assert option in done.stdout, done.stderr
