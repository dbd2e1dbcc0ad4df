"""Celery's workers and beat as threads of the web process: the background work of the embedded profile.

They are Celery's own workers and scheduler on the in-memory broker, so tasks run as they do in a cluster.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from celery import Celery
from celery.beat import Service
from celery.worker import WorkController, state
from django.conf import settings
from django.db import connections

from config.celery import PEERS, WORK, app

logger = logging.getLogger(__name__)

RESTART_AFTER = 1.0
STOP_WITHIN = 15.0


class BackgroundWorkers:
    """A worker for each queue and a beat, each in a daemon thread that starts it again should it ever fail."""

    def __init__(self) -> None:
        self._is_stopping = threading.Event()
        self._beat: Service | None = None
        # An app consumes from one choice of queues. Tasks are found by name, so both apps have the same.
        self._app_of_peers = Celery("plugtill-peers", set_as_current=False)
        self._app_of_peers.config_from_object("django.conf:settings", namespace="CELERY")
        self._threads = [
            threading.Thread(target=self._keep_running, args=(run,), name=name, daemon=True)
            for name, run in (
                ("celery-worker", partial(self._run_worker, app, WORK, settings.WORKER_CONCURRENCY)),
                ("celery-peers", partial(self._run_worker, self._app_of_peers, PEERS, settings.PEER_CONCURRENCY)),
                ("celery-beat", self._run_beat),
            )
        ]

    def start(self) -> None:
        # Celery loads task modules on first use; two threads doing so at once can meet half-loaded ones.
        app.loader.import_default_modules()
        app.finalize()
        self._app_of_peers.finalize()
        for thread in self._threads:
            thread.start()

    def stop(self) -> bool:
        """Lets running tasks finish. False when they needed more than `STOP_WITHIN` seconds."""
        self._is_stopping.set()
        # `WorkController.stop` belongs to the worker's own thread; this flag is what its signal handlers set.
        state.should_stop = 0
        if self._beat is not None:
            self._beat.stop()
        for thread in self._threads:
            thread.join(STOP_WITHIN)
        return not any(thread.is_alive() for thread in self._threads)

    def _keep_running(self, run: Callable[[], None]) -> None:
        while not self._is_stopping.is_set():
            try:
                run()
            except Exception:
                logger.exception("%s failed and starts again", threading.current_thread().name)
            finally:
                connections.close_all()
            self._is_stopping.wait(RESTART_AFTER)

    def _run_worker(self, worker_app: Celery, queue: str, concurrency: int) -> None:
        # Not `app.Worker`, which installs signal handlers and so works in the main thread only.
        WorkController(
            app=worker_app,
            hostname=f"{queue}@embedded",
            queues=[queue],
            concurrency=concurrency,
            without_gossip=True,
            without_heartbeat=True,
            without_mingle=True,
        ).start()

    def _run_beat(self) -> None:
        # Without a class it would keep its schedule in a file.
        self._beat = Service(app, scheduler_cls=app.conf.beat_scheduler)
        self._beat.start()
