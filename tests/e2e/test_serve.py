"""Plugtill as a process: it starts on an empty machine, survives a power cut and stops when told."""

from pathlib import Path

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.plugtill import PlugtillProcess


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
        "shell", "-c", "from django.contrib.auth.models import User; print(User.objects.get().username)"
    )
    assert "ada" in users


def test_stops_when_told(plugtill: PlugtillProcess) -> None:
    assert plugtill.stop() == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{plugtill.base_url}/healthz", timeout=5)


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

OutboxEvent.objects.create(topic="location", object_id=1, processed_at=timezone.now() - timedelta(days=30))
every_second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
PeriodicTask.objects.create(
    name="from the test", task="infrastructure.tasks.delete_processed_events", interval=every_second
)
deadline = time.monotonic() + 30
while OutboxEvent.objects.exists() and time.monotonic() < deadline:
    time.sleep(0.1)
print("left:", OutboxEvent.objects.count())
"""


def test_the_schedule_in_the_database_reaches_a_worker(plugtill: PlugtillProcess) -> None:
    assert "left: 0" in plugtill.manage("shell", "--no-imports", "-c", SCHEDULE_AND_WAIT)
