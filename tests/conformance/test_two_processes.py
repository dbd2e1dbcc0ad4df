"""A command finds its charger wherever it is connected: two web processes on one PostgreSQL and one Redis."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.conformance.charger import SILENCE, Charger, until
from tests.conformance.client import Client, Json
from tests.conformance.stage import Stage
from tests.e2e.plugtill import PlugtillProcess

pytestmark = pytest.mark.skipif(
    not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")),
    reason="an embedded Plugtill is one process by design, there is no second one; `make test` with DATABASE_URL and "
    "REDIS_URL shows it",
)

MAKE_KEY = """
from chargers.choices import ApiScope
from chargers.models import ApiToken
from chargers.services import api_tokens
from infrastructure.models import Operator
token = ApiToken.objects.create(name="Two processes", scopes=[scope.value for scope in ApiScope])
token.operators.set(Operator.objects.all())
print(api_tokens.generate_key(token))
"""


@pytest.fixture(scope="module")
def second(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlugtillProcess]:
    """No charger of `stage` is connected here."""
    with PlugtillProcess(tmp_path_factory.mktemp("second"), beside=stage.plugtill) as process:
        process.start()
        yield process
        assert [line for line in process.log.splitlines() if " ERROR " in line or "Traceback" in line] == []


class Api:
    """A program of the operator."""

    def __init__(self, key: str) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}

    def command(self, process: str, identity: str, action: str, **payload: Any) -> int:
        """Gives a command to one of the processes; the call's id."""
        url = f"{process}/api/v1/charge-points/{identity}/commands/{action}"
        answer = requests.post(url, json=payload, headers=self._headers, timeout=20)
        assert answer.status_code == 202, answer.text
        return int(answer.json()["id"])

    def result(self, process: str, call: int) -> Json:
        """As soon as there is one."""

        def read() -> Json | None:
            found: Json = requests.get(f"{process}/api/v1/calls/{call}", headers=self._headers, timeout=20).json()
            return found if found["state"] == "DONE" else None

        told: Json = until(f"the result of call {call}", read)
        return told


@pytest.fixture(scope="module")
def api(stage: Stage) -> Api:
    return Api(stage.staff(MAKE_KEY).splitlines()[-1])


def connect(process: str, stage: Stage) -> Charger:
    return Charger(f"{process.replace('http', 'ws')}/ocpp", "CP-EDIT", stage.secrets["charger"], 1)


def test_a_start_session_finds_its_charger(stage: Stage, second: PlugtillProcess) -> None:
    evse, reference = stage.evse(), stage.reference()
    there = Client(second.base_url, stage.ptp.client.token, stage.ptp.client.own)
    answer = there.post("commands/START_SESSION", stage.start_body(evse, reference))
    assert answer.data["result"] == "ACCEPTED", answer.raw
    assert stage.charger.wait("RemoteStartTransaction", connectorId=evse)["connectorId"] == evse
    assert stage.result(reference).body["result"] == "ACCEPTED"


def test_a_command_of_the_api_finds_its_charger(stage: Stage, second: PlugtillProcess, api: Api) -> None:
    call = api.command(second.base_url, "CP-1", "ClearCache")
    stage.charger.wait("ClearCache")
    for process in (second.base_url, stage.base):
        assert api.result(process, call)["answer"] == {"status": "Accepted"}


def test_a_charger_moves_to_another_process_while_it_is_asked(stage: Stage, second: PlugtillProcess, api: Api) -> None:
    with connect(stage.base, stage) as here:
        here.plan["ClearCache", 0] = SILENCE
        unanswered = api.command(second.base_url, "CP-EDIT", "ClearCache")
        here.wait("ClearCache")
        with connect(second.base_url, stage) as there:
            # Each process learns of the new socket from the other's row, and of commands wherever they are given.
            for number, process in enumerate((stage.base, second.base_url), start=1):
                call = api.command(process, "CP-EDIT", "GetConfiguration", key=[str(number)])
                there.wait("GetConfiguration", key=[str(number)])
                assert api.result(stage.base, call)["result"] == "ACCEPTED"
            assert api.result(second.base_url, unanswered)["result"] == "TIMEOUT"
            # Nobody knows whether the charger did it, so it is not asked twice.
            assert there.called("ClearCache") == []
        assert here.called("GetConfiguration") == []
