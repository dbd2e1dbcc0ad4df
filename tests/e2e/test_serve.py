"""Plugtill as a process: it starts on an empty machine, survives a power cut and stops when told."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.e2e.plugtill import PlugtillProcess


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlugtillProcess]:
    """Begins on an empty machine; tests that end it leave it to the next one to start it again."""
    # However slow the machine, a charger that says nothing is asked nothing but what the test has asked.
    quiet = {"CHARGER_SETTLED_AFTER_SECONDS": "3600"}
    with PlugtillProcess(tmp_path_factory.mktemp("serve"), quiet, empty=True) as process:
        yield process


@pytest.fixture
def plugtill(installation: PlugtillProcess) -> PlugtillProcess:
    if not installation.is_running:
        installation.start()
    return installation


def test_serves_admin_with_its_static_files(plugtill: PlugtillProcess) -> None:
    page = requests.get(f"{plugtill.base_url}/", timeout=10)
    assert page.url.startswith(f"{plugtill.base_url}/admin/login/")
    assert "Plugtill" in page.text
    style = requests.get(f"{plugtill.base_url}/static/unfold/css/styles.css", timeout=10)
    assert style.headers["Content-Type"].startswith("text/css")


def test_refuses_a_websocket_on_an_unknown_path_with_404(plugtill: PlugtillProcess) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{plugtill.port}/nowhere", subprotocols=["ocpp1.6"])
    assert refusal.value.response.status_code == 404
    assert "ERROR" not in plugtill.log


def test_starts_again_after_a_power_cut(plugtill: PlugtillProcess) -> None:
    plugtill.manage("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com")
    plugtill.restart()
    users = plugtill.manage(
        "shell", "-c", "from django.contrib.auth.models import User; print(User.objects.get(username='ada').username)"
    )
    assert "ada" in users


def test_stops_when_told(plugtill: PlugtillProcess) -> None:
    assert plugtill.stop() == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{plugtill.base_url}/healthz", timeout=5)


LEAVE_A_CALL = """
from datetime import timedelta
from django.utils import timezone
from chargers.models import OutgoingCall
from chargers.services.outgoing import request_ocpp
from infrastructure.models import Charger

charger = Charger.objects.get(identity="DEMO-AC-1")
for key in ("first", "second"):
    request_ocpp(charger.pk, "GetConfiguration", {"key": [key]}, timezone.now() + timedelta(minutes=5))
"""
LOOK_AT_CALLS = """
from chargers.models import OutgoingCall
print("calls:", list(OutgoingCall.objects.order_by("pk").values_list("state", "result")))
"""


def test_a_call_under_way_is_finished_before_it_stops(plugtill: PlugtillProcess) -> None:
    """The next one waits for the socket that the charger opens elsewhere, as 1012 tells it to."""
    demo = json.loads(plugtill.manage("demo_data"))
    password = next(one["password"] for one in demo["chargers"] if one["identity"] == "DEMO-AC-1")
    basic = base64.b64encode(f"DEMO-AC-1:{password}".encode()).decode()
    url = f"ws://127.0.0.1:{plugtill.port}/ocpp/DEMO-AC-1"
    with connect(url, subprotocols=["ocpp1.6"], additional_headers={"Authorization": f"Basic {basic}"}) as charger:
        plugtill.manage("shell", "--no-imports", "-c", LEAVE_A_CALL)
        _, unique_id, action, payload = json.loads(charger.recv(30))
        assert (action, payload) == ("GetConfiguration", {"key": ["first"]})
        plugtill.terminate()
        with pytest.raises(requests.ConnectionError):
            while requests.get(f"{plugtill.base_url}/healthz", timeout=5):
                pass
        charger.send(json.dumps([3, unique_id, {"configurationKey": [], "unknownKey": ["first"]}]))
        with pytest.raises(ConnectionClosed) as end:
            charger.recv(30)
    assert end.value.rcvd is not None and end.value.rcvd.code == 1012
    assert plugtill.stop() == 0
    told = plugtill.manage("shell", "--no-imports", "-c", LOOK_AT_CALLS)
    assert "calls: [('DONE', 'ACCEPTED'), ('PENDING', '')]" in told


def test_two_live_side_by_side(plugtill: PlugtillProcess, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with PlugtillProcess(folder) as other:
        other.start()
        for process in (plugtill, other):
            assert requests.get(f"{process.base_url}/healthz", timeout=5).json() == {"status": "ok"}


SCHEDULE_AND_WAIT = """
import time
from datetime import timedelta
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from infrastructure.models import OutboxEvent

row = OutboxEvent.objects.create(topic="location", object_id=1, processed_at=timezone.now() - timedelta(days=30))
old = OutboxEvent.objects.filter(pk=row.pk)
every_second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
PeriodicTask.objects.create(
    name="from the test", task="infrastructure.tasks.delete_processed_events", interval=every_second
)
deadline = time.monotonic() + 30
while old.exists() and time.monotonic() < deadline:
    time.sleep(0.1)
print("left:", old.count())
"""


def test_the_schedule_in_the_database_reaches_a_worker(plugtill: PlugtillProcess) -> None:
    assert "left: 0" in plugtill.manage("shell", "--no-imports", "-c", SCHEDULE_AND_WAIT)
