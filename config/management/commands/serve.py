import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from chargers.services import lifecycle
from config.celery import PEERS, WORK, worker_options
from config.embedded import BackgroundWorkers
from config.processes import ChildProcesses, only_process_on
from config.server import Server
from roaming.services import push

logger = logging.getLogger("config.serve")


class Command(BaseCommand):
    help = (
        "Starts Plugtill: migrates the database, then serves the web, OCPI and OCPP with workers and a beat "
        "(in this process without DATABASE_URL and REDIS_URL, as child processes with them)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="default: PORT, here %(default)s")
        parser.add_argument(
            "--only", choices=["web"], help="serve the web only; migrations, worker and beat run elsewhere"
        )

    def handle(self, *args: Any, host: str, port: int, only: str | None, **options: Any) -> None:
        use_port(port)
        server = Server(host, port)
        try:
            listener = server.bind()
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}. Set PORT.") from error
        with background(server, only):
            logger.info("Plugtill %s on %s", "embedded" if settings.EMBEDDED else "clustered", settings.PUBLIC_URL)
            server.serve_until_stopped(listener)


def use_port(port: int) -> None:
    """Makes --port count like PORT, also for the address that we publish and for child processes."""
    if port != settings.PORT:
        os.environ["PORT"] = str(port)
        settings.PORT = port
        if "PUBLIC_URL" not in os.environ:
            settings.PUBLIC_URL = f"http://127.0.0.1:{port}"
            settings.CSRF_TRUSTED_ORIGINS = [settings.PUBLIC_URL]


@contextmanager
def background(server: Server, only: str | None) -> Iterator[None]:
    """What runs beside the web server, from before its start until after its end."""
    if settings.EMBEDDED:
        if only:
            raise CommandError("--only needs DATABASE_URL and REDIS_URL: embedded, all is one process.")
        with only_process_on(settings.DATA_DIR), threads():
            yield
    elif only:
        yield
    else:
        with ChildProcesses(on_loss=server.stop) as children:
            migrate()
            celery = [sys.executable, "-m", "celery", "-A", "config"]
            workers = {name: [*celery, *worker_options(name)] for name in (WORK, PEERS)}
            children.start({**workers, "beat": [*celery, "beat"]})
            yield
        if children.is_lost:
            raise CommandError("A background process ended unexpectedly; see the log above.")


@contextmanager
def threads() -> Iterator[None]:
    migrate()
    # This is the only process: sockets and requests that were open when the last one ended are gone.
    lifecycle.forget_connections()
    push.release_all()
    workers = BackgroundWorkers()
    workers.start()
    is_clean = False
    try:
        yield
    finally:
        is_clean = workers.stop()
    if not is_clean:
        # The interpreter would wait for the task without end. Its message is lost, its row is not.
        logger.warning("A task is still running and is left behind")
        logging.shutdown()
        os._exit(0)


def migrate() -> None:
    # The first time this takes a while, in which nothing else can use the database.
    logger.info("Bringing the database up to date ...")
    call_command("migrate", interactive=False, verbosity=0)
