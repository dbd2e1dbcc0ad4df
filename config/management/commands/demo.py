import os
import signal
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.management.utils import get_random_secret_key

from config.demo import data
from config.demo.data import DemoCharger, DemoData
from config.demo.play import Played, Stage, verdict
from config.demo.processes import Api, Processes, free_port
from config.demo.timeline import Timeline
from payments.models import Terminal
from payments.services.terminals import assign_terminal

# Energy flows this many times as fast as the power says, so that a session takes seconds. No faster at the fast
# charger: we stop it some seconds ahead of the blocked amount, and that should be close to it.
SPEED_UP = {"DEMO-AC-1": 60, "DEMO-DC-1": 40}
METER_INTERVAL = 0.5
# Seconds: so long the terminal says that the cable is to be plugged in.
AUTO_PLUG = 2


class Command(BaseCommand):
    help = "Shows paid sessions from card tap to invoice: Plugtill, chargers and a payment terminal provider."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="play one session stopped by the driver and one stopped at the pre-authorised amount, then end: "
            "exit code 0 only if CDR, captured amount and invoice agree",
        )
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="this machine's address in your network: then phones there can be the terminal and scan the invoice, "
            "and everybody there can log in (default: %(default)s)",
        )

    def handle(self, *args: Any, once: bool, host: str, **options: Any) -> None:
        _own_environment(host)
        self.host = host
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        with tempfile.TemporaryDirectory(prefix="plugtill-demo-logs-") as logs, Processes(Path(logs)) as processes:
            stage, demo = self._set_up(processes)
            played = [self._driver_stops(stage, demo), self._limit_stops(stage, demo)]
            is_right = self._judge(stage, played)
            if once:
                if not is_right:
                    raise CommandError("The demo found problems; see above.")
                return
            self._stay(stage, demo)

    def _set_up(self, processes: Processes) -> tuple[Stage, DemoData]:
        timeline = Timeline(self.stdout)  # type: ignore[arg-type]
        timeline.heading(f"Plugtill {'embedded' if settings.EMBEDDED else 'clustered'}: {settings.PUBLIC_URL}")
        call_command("migrate", interactive=False, verbosity=0)
        demo = data.create()
        processes.start("plugtill", "manage.py", "serve", "--host", self.host)
        processes.wait_for("Plugtill", lambda: requests.get(f"{settings.PUBLIC_URL}/healthz", timeout=5).ok)
        timeline.line("Plugtill", f"is up; admin at {settings.PUBLIC_URL}/admin/")
        chargers = {entry.charger.identity: self._start_charger(processes, entry) for entry in demo.chargers}
        ptp = self._start_ptp(processes, demo)
        stage = Stage(processes, ptp, chargers, timeline)
        self._prepare(stage, demo)
        return stage, demo

    def _start_charger(self, processes: Processes, entry: DemoCharger) -> Api:
        identity, port = entry.charger.identity, free_port()
        processes.start(
            identity,
            *("-m", "chargers.simulator", "--identity", identity),
            # In one word: a secret may begin with a dash.
            f"--password={entry.password}",
            *("--url", f"{settings.PUBLIC_URL.replace('http', 'ws', 1)}/ocpp"),
            *(
                "--ocpp",
                entry.ocpp,
                "--evses",
                str(entry.evses),
                "--power",
                str(entry.power_kw),
                "--speed-up",
                str(SPEED_UP[identity]),
            ),
            *("--meter-interval", str(METER_INTERVAL), "--auto-plug", str(AUTO_PLUG)),
            *("--control", f"127.0.0.1:{port}"),
        )
        return Api(f"http://127.0.0.1:{port}")

    def _start_ptp(self, processes: Processes, demo: DemoData) -> Api:
        port = free_port()
        processes.start(
            "ptp",
            *("-m", "payments.simulator", "--listen", f"{self.host}:{port}", f"--token={demo.registration_token}"),
            *("--plugtill-versions", f"{settings.PUBLIC_URL}/ocpi/versions"),
        )
        return Api(f"http://{self.host}:{port}")

    def _prepare(self, stage: Stage, demo: DemoData) -> None:
        """Registration, terminals, assignment; then everything a driver needs has reached the provider."""
        ptp, wait, line = stage.ptp, stage.processes.wait_for, stage.timeline.line
        wait("the registration", lambda: ptp.get("/control/state")["registered"])
        line("PTP", "is registered: credentials exchanged")
        ptp.post("/control/push-terminals")
        line("PTP", "pushed its terminals")
        _assign_terminals(demo)
        wait("the assignment", lambda: all(t.get("location_ids") for t in _values(ptp, "terminals")))
        line("Plugtill", "assigned the terminals to the areas")
        wait("tariffs and areas", lambda: len(_values(ptp, "tariffs")) >= 2 and len(_values(ptp, "locations")) >= 2)
        line("Plugtill", "pushed tariffs and areas")
        wait("the chargers", lambda: all(_is_available(ptp, entry) for entry in demo.chargers))
        line("chargers", "are connected and available")

    def _driver_stops(self, stage: Stage, demo: DemoData) -> Played:
        stage.timeline.heading("A session that the driver stops")
        return stage.play(demo.chargers[0], 1, stop_after_kwh=Decimal(2))

    def _limit_stops(self, stage: Stage, demo: DemoData) -> Played:
        stage.timeline.heading("A session that Plugtill stops at the pre-authorised amount")
        return stage.play(demo.chargers[1], 1, stop_after_kwh=None)

    def _judge(self, stage: Stage, played: list[Played]) -> bool:
        stage.timeline.heading("What it came to")
        problems = [f"the provider complains: {complaint}" for complaint in stage.complaints()]
        for one, expected in zip(played, ("DRIVER", "LIMIT"), strict=True):
            self.stdout.write(
                f"{one.reference}: CDR {one.total}, captured {one.captured}, invoice {one.invoiced} EUR "
                f"of {one.preauthorised} blocked; stopped by {one.stop_reason}"
            )
            self.stdout.write(
                f"  START_SESSION to RemoteStartTransaction {one.start_latency * 1000:.0f} ms, "
                f"StopTransaction to CDR at the provider {one.stop_latency * 1000:.0f} ms"
            )
            problems += [f"{one.reference}: {problem}" for problem in verdict(one)]
            if one.stop_reason != expected:
                problems.append(f"{one.reference}: stopped by {one.stop_reason}, expected {expected}")
        start = statistics.median(one.start_latency for one in played)
        stop = statistics.median(one.stop_latency for one in played)
        self.stdout.write(f"Medians: start {start * 1000:.0f} ms, stop {stop * 1000:.0f} ms")
        for problem in problems:
            self.stderr.write(self.style.ERROR(problem))
        if not problems:
            self.stdout.write(
                self.style.SUCCESS("CDR, captured amount and invoice agree; invoices show the card data.")
            )
        return not problems

    def _stay(self, stage: Stage, demo: DemoData) -> None:
        evse = demo.chargers[0].charger.evses.get(number=2)
        self.stdout.write(
            f"\nA payment terminal, to tap a card at: {stage.ptp.base}/terminal\n"
            f"Admin: {settings.PUBLIC_URL}/admin/   user {data.ADMIN_USER}, password {data.ADMIN_PASSWORD}\n"
            "The terminal from another shell:\n"
            f"  .venv/bin/python manage.py simulate_ptp --control {stage.ptp.base} "
            f"tap {demo.chargers[0].charger.location.roaming_id} {evse.effective_uid} 1\n"
            f"  .venv/bin/python manage.py simulate_ptp --control {stage.ptp.base} stop\n"
            "Ctrl-C ends the demo and deletes its data."
        )
        try:
            while True:
                stage.processes.check()
                time.sleep(1)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")


def _own_environment(host: str) -> None:
    """The settings of this process and its children must know the demo's port, folder and keys: it starts itself
    again with what is missing in the environment."""
    port = os.environ.get("PORT") or str(free_port(settings.PORT))
    wanted = {
        "PORT": port,
        "PUBLIC_URL": f"http://{host}:{port}",
        # The provider runs on this machine.
        "PEERS_ALLOW_PRIVATE_ADDRESSES": "on",
        # A session of the demo lasts seconds, so the provider hears of its progress every second.
        "SESSION_PROGRESS_SECONDS": "1",
    }
    if settings.EMBEDDED:
        wanted["DATA_DIR"] = os.environ.get("DATA_DIR") or tempfile.mkdtemp(prefix="plugtill-demo-")
    else:
        wanted["SECRET_KEY"] = get_random_secret_key()
        wanted["FIELD_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
    missing = {name: value for name, value in wanted.items() if not os.environ.get(name)}
    if missing:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **missing})


def _assign_terminals(demo: DemoData) -> None:
    areas = [entry.charger.location for entry in demo.chargers]
    for terminal, area in zip(Terminal.objects.filter(platform=demo.platform), areas, strict=False):
        assign_terminal(terminal, [area], [])


def _values(ptp: Api, name: str) -> list[dict[str, Any]]:
    values = ptp.get("/control/state")[name]
    return list(values.values()) if isinstance(values, dict) else list(values)


def _is_available(ptp: Api, entry: DemoCharger) -> bool:
    uid = entry.charger.evses.get(number=1).effective_uid
    return any(
        evse["uid"] == uid and evse["status"] == "AVAILABLE"
        for location in _values(ptp, "locations")
        for evse in location.get("evses", [])
    )
