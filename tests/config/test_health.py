"""What load balancers and monitors read."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config import health
from infrastructure.services import pulse
from infrastructure.tasks import note_peers_pulse, note_pulse
from roaming.models import Push
from tests.roaming.factories import PlatformFactory

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-the-monitor"


@pytest.fixture(autouse=True)
def alive(fresh_cache):
    note_pulse()
    note_peers_pulse()


def test_ready_when_database_cache_and_background_answer(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "cache": "ok", "worker of work": "ok", "worker of peers": "ok"}


def test_not_ready_without_a_pulse_of_late(client, monkeypatch):
    monkeypatch.setattr(
        pulse, "last_pulse", lambda queue: timezone.now() - timedelta(minutes=5 if queue == pulse.PEERS else 0)
    )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "beat or the worker" in answer.json()["checks"]["worker of peers"]


def test_not_ready_while_the_cache_is_away(client, monkeypatch):
    class Away:
        def get(self, key):
            raise ConnectionError("refused")

    monkeypatch.setattr(health, "cache", Away())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["cache"] == "does not answer"


def test_a_partners_fault_takes_no_process_out(client):
    Push.objects.create(
        platform=PlatformFactory(), module="cdrs", object_id="1", created_at=timezone.now() - timedelta(hours=2)
    )
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["oldest_unsent_push_seconds"] >= 7200


def test_liveness_asks_nothing_of_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_no_metrics_without_their_token(client, settings):
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_metrics_tell_the_state_of_the_installation(settings):
    settings.METRICS_TOKEN = TOKEN
    Push.objects.create(platform=PlatformFactory(code="PTP1"), module="cdrs", object_id="1")
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/metrics")
    lines = answer.content.decode().splitlines()
    assert 'plugtill_pushes{platform="PTP1",state="PENDING"} 1.0' in lines
    assert "plugtill_connected_chargers 0.0" in lines
    assert 'plugtill_sessions{status="ACTIVE"} 0.0' in lines
    assert any(line.startswith('plugtill_background_pulse_timestamp_seconds{queue="peers"} 1') for line in lines)
