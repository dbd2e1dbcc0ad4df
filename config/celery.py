"""The one Celery app of Plugtill."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# The queues of `settings.CELERY_TASK_QUEUES`.
WORK, PEERS = "work", "peers"
# Workers have nothing to tell each other, and one that does may stop for ever when Redis comes back after an outage
# (celery/celery#8030).
ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]

TRANSPORT_ALIASES["memory"] = "config.broker:Transport"
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "config.redis_broker:Transport"

app = Celery("plugtill")
# Threads that never touched Celery (web requests, consumers) must find this app, not an empty default one.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def worker_options(queue: str) -> list[str]:
    """What `celery -A config` needs to be the worker of one queue, beside those of others on the same host."""
    threads = settings.PEER_CONCURRENCY if queue == PEERS else settings.WORKER_CONCURRENCY
    return ["worker", "--queues", queue, "--hostname", f"{queue}@%h", "--concurrency", str(threads), *ALONE]


def refuse_on_embedded(**kwargs: Any) -> None:
    """The embedded broker lives in the memory of `manage.py serve`: a worker elsewhere would wait forever."""
    if settings.EMBEDDED:
        raise SystemExit(  # Celery swallows any lesser exception of a signal's receiver
            "Set DATABASE_URL and REDIS_URL to run Celery in processes of its own; "
            "without them `manage.py serve` has a worker inside."
        )


# celeryd_init is sent by `celery worker` only, not by the worker inside `serve`.
celeryd_init.connect(refuse_on_embedded)
