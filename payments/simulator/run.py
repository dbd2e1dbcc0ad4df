"""Runs one simulated provider until it is told to end, or sends a command to one that runs."""

import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from payments.simulator.client import Unreachable
from payments.simulator.driver import DriverError
from payments.simulator.log import EventLog
from payments.simulator.office import Office
from payments.simulator.registration import RegistrationFailed, register
from payments.simulator.remote import command
from payments.simulator.server import Server
from payments.simulator.settings import Settings, from_options
from payments.simulator.settlement import deliver_pending
from payments.simulator.shell import Shell

FIRST_RETRY, LONGEST_RETRY = 0.5, 5.0
ENDING = {signal.SIGINT, signal.SIGTERM}


def main(options: Mapping[str, Any]) -> int:
    """Does what the parsed options say; returns the exit status."""
    if options["action"]:
        return command(options["control"], options["action"], options["arguments"], options)
    # Blocked in all threads and waited for below: an exception out of a lock's wait could leave it locked.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    provider = Provider(from_options(options))
    provider.start()
    if sys.stdin is not None and sys.stdin.isatty() and not options["json"]:
        threading.Thread(target=Shell(provider.server.control).run, daemon=True, name="shell").start()
    signal.sigwait(ENDING)
    provider.stop()
    return 0


class Provider:
    """Server and registration of one provider."""

    def __init__(self, settings: Settings) -> None:
        self.office = Office(settings, EventLog(quiet=settings.quiet, as_json=settings.json))
        self.server = Server(self.office)

    def start(self) -> None:
        """Serves in the background; registers, if there is somebody to register with."""
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True, name="server").start()
        self.office.log.record("listening", versions=self.office.versions_url)
        registration = self.office.book.registration
        if self.office.settings.plugtill_versions and not registration.registered:
            self.office.later("register", self._register)
        if registration.registered:
            deliver_pending(self.office)

    def stop(self) -> None:
        self.office.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _register(self) -> None:
        """Tries until the CPO is there; a refusal is final."""
        delay = FIRST_RETRY
        while not self.office.closing.is_set():
            try:
                return register(self.office)
            except RegistrationFailed as error:
                self.office.log.record("registration_failed", reason=str(error))
                if not error.retry:
                    return
            except (Unreachable, DriverError) as error:
                self.office.log.record("registration_failed", reason=str(error))
            self.office.closing.wait(delay)
            delay = min(delay * 2, LONGEST_RETRY)
