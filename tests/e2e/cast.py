"""The whole cast of a paid session as real processes: Plugtill, chargers, a payment terminal provider (PTP)."""

import json
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import requests

from config.demo.processes import Api, Processes, free_port
from payments.simulator.wire import encode_token
from tests.e2e.admin_site import AdminSite
from tests.e2e.plugtill import PlugtillProcess

Json = dict[str, Any]
CHARGERS = ("DEMO-AC-1", "DEMO-DC-1")
# Slow enough at the fast charger that no session comes near its limit before a test ends it: we look 13 s ahead.
SPEED_UP = {"DEMO-AC-1": 60, "DEMO-DC-1": 10}
PATIENCE = 30.0
# A worker that was killed while it sent something keeps its claim for a while, if it was not the only one.
PATIENCE_AFTER_A_KILL = 120.0


@dataclass(frozen=True)
class Place:
    """An outlet, by the ids that partners know and by those of its charger."""

    charger: str
    outlet: int
    location_id: str

    @property
    def ids(self) -> dict[str, str]:
        return {"location_id": self.location_id, "evse_uid": f"{self.charger}-{self.outlet}", "connector_id": "1"}


GARAGE_1 = Place("DEMO-AC-1", 1, "VIE-CITY")
GARAGE_2 = Place("DEMO-AC-1", 2, "VIE-CITY")
MOTORWAY = Place("DEMO-DC-1", 1, "A4-GOETTLES")


class Charger(Api):
    """A simulated charger, by its control API."""

    def events(self, name: str) -> list[Json]:
        return [event for event in self.get("/events") if event["event"] == name]


class Provider(Api):
    """A simulated PTP, by its control API. `kept` is the file with all it knows."""

    def __init__(self, base: str, kept: Path) -> None:
        super().__init__(base)
        self.kept = kept

    @property
    def state(self) -> Json:
        found: Json = self.get("/control/state")
        return found

    @property
    def complaints(self) -> list[Json]:
        found: list[Json] = self.state["complaints"]
        return found

    def events(self, what: str, **wanted: Any) -> list[Json]:
        """Everything of a kind that happened, in order."""
        told = [event for event in self.get("/control/events") if event["what"] == what]
        return [event for event in told if all(event.get(name) == value for name, value in wanted.items())]

    def known(self, table: str, reference: str) -> list[Json]:
        """Sessions or CDRs of an authorization reference."""
        return [one for one in self.state[table].values() if one["authorization_reference"] == reference]

    def evse(self, place: Place) -> Json:
        """As last heard; empty when unknown."""
        location = self.state["locations"].get(place.location_id, {})
        return next((one for one in location.get("evses", []) if one["uid"] == place.ids["evse_uid"]), {})

    def fail(self, module: str, kind: str, times: int = 1, seconds: float = 1.0) -> None:
        """Plans failures of the next requests to a module."""
        self.post("/control/faults", module=module, kind=kind, times=times, seconds=seconds)

    def pulled(self, module: str, reference: str) -> list[Json]:
        """What Plugtill lists of a reference when it is asked, with the provider's own token."""
        kept = json.loads(self.kept.read_text())["registration"]
        headers = {"Authorization": encode_token(kept["client_token"])}
        headers |= {name: str(uuid.uuid4()) for name in ("X-Request-ID", "X-Correlation-ID")}
        url = kept["endpoints"][f"{module}:SENDER"]
        answer = requests.get(url, headers=headers, params={"date_from": "2020-01-01T00:00:00Z"}, timeout=10)
        listed: list[Json] = answer.json()["data"]
        return [one for one in listed if one["authorization_reference"] == reference]


class Cast:
    """Started in the order of need and ended all together; each has a log file in the folder.

    `chargers` names those that are switched on; `options` go to each of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plugtill: PlugtillProcess | None = None,
        environment: dict[str, str] | None = None,
        chargers: tuple[str, ...] = CHARGERS,
        options: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        # The provider hears of the progress of sessions that last seconds.
        environment = {"SESSION_PROGRESS_SECONDS": "1"} | (environment or {})
        self.plugtill = plugtill or PlugtillProcess(folder, environment)
        self.processes = Processes(folder)
        self._switched_on, self._options = chargers, options
        self._stack = ExitStack()
        self.chargers: dict[str, Charger] = {}
        self.ptp: Provider
        self.admin: AdminSite

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.plugtill)
            stack.enter_context(self.processes)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def wait(self, what: str, is_there: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """The first true value. Raises CommandError when it does not come in time (seconds)."""
        return self.processes.wait_for(what, is_there, patience)

    def check(self) -> None:
        """What holds after any test: the provider found nothing wrong, and nothing failed inside Plugtill."""
        assert self.ptp.complaints == []
        failures = [line for line in self.plugtill.log.splitlines() if " ERROR " in line or "Traceback" in line]
        assert failures == []

    # -- the beginning

    def _start(self) -> None:
        self.ptp = self.start_provider("ptp")
        self.plugtill.start()
        demo = json.loads(self.plugtill.manage("demo_data"))
        for entry in demo["chargers"]:
            if entry["identity"] in self._switched_on:
                self.chargers[entry["identity"]] = self._start_charger(entry)
        self.admin = AdminSite(self.plugtill.base_url, demo["admin"]["user"], demo["admin"]["password"])
        self.wait("the provider", lambda: self.ptp.state)
        versions = f"{self.plugtill.base_url}/ocpi/versions"
        self.ptp.post("/control/register", versions_url=versions, token=demo["registration_token"])
        self.ptp.post("/control/push-terminals")
        self._assign_terminals()
        for place in (GARAGE_1, GARAGE_2, MOTORWAY):
            self.wait(f"{place}", lambda place=place: self.is_ready(place))

    def start_provider(self, name: str, *options: str) -> Provider:
        """A process that keeps what it knows in a file; one calls it as soon as it is there."""
        port, kept = free_port(), self.folder / f"{name}.json"
        listen = ("--listen", f"127.0.0.1:{port}", "--state", str(kept))
        self.processes.start(name, "-m", "payments.simulator", *listen, "--json", *options)
        return Provider(f"http://127.0.0.1:{port}", kept)

    def _start_charger(self, entry: Json) -> Charger:
        identity, port = entry["identity"], free_port()
        self.processes.start(
            identity,
            *("-m", "chargers.simulator", "--identity", identity),
            # In one word: a secret may begin with a dash.
            f"--password={entry['password']}",
            *("--url", f"ws://127.0.0.1:{self.plugtill.port}/ocpp", "--control", f"127.0.0.1:{port}"),
            *("--evses", str(entry["evses"]), "--power", str(entry["power_kw"]), "--speed-up", str(SPEED_UP[identity])),
            *("--meter-interval", "0.5", "--auto-unplug", "0.1", "--json", *self._options),
        )
        return Charger(f"http://127.0.0.1:{port}")

    def _assign_terminals(self) -> None:
        """As staff does it: in the form of each terminal."""
        areas = [self.admin.rows("infrastructure/location", name)[0] for name in ("VIE-CITY", "A4-GOETTLES")]
        for terminal, area in zip(sorted(self.ptp.state["terminals"]), areas, strict=True):
            row = self.admin.row("payments/terminal", terminal)
            self.admin.save(f"{row}change/", locations=[area])

    def is_ready(self, place: Place) -> bool:
        """Whether the provider could sell a session there, as far as it was told."""
        state = self.ptp.state
        is_served = any(place.location_id in one["location_ids"] for one in state["terminals"].values())
        status = "AVAILABLE" if place.charger in self._switched_on else "UNKNOWN"
        return is_served and len(state["tariffs"]) == 2 and self.ptp.evse(place).get("status") == status

    # -- a session

    def charger(self, place: Place) -> Charger:
        return self.chargers[place.charger]

    def tap(self, place: Place, **options: Any) -> Json:
        """A card at a terminal, once the outlet is free; the provider's answer."""
        if place.charger in self._switched_on:
            self.wait(f"a free outlet at {place}", lambda: self.is_ready(place))
        answer: Json = self.ptp.post("/control/tap", **place.ids | options)
        return answer

    def begin(self, *places: Place) -> list[str]:
        """Sessions that run and have cost something already; their authorization references."""
        taps = [self.tap(place) for place in places]
        assert [tap["response"] for tap in taps] == ["ACCEPTED"] * len(places), taps
        references = [tap["authorization_reference"] for tap in taps]
        for reference in references:
            self.wait(f"energy in {reference}", lambda reference=reference: self.progress(reference) > 0)
        return references

    def progress(self, reference: str) -> Decimal:
        """Energy that the provider was told of (kWh)."""
        return sum((Decimal(str(one["kwh"])) for one in self.ptp.known("sessions", reference)), Decimal(0))

    def stop_at_charger(self, place: Place) -> None:
        self.charger(place).post("/stop", connector=place.outlet)

    def result(self, reference: str) -> str | None:
        """The CommandResult of the first START_SESSION with this reference."""
        commands = self.ptp.state["command_results"].values()
        own = [one["result"] for one in commands if one["authorization_reference"] == reference]
        return own[0] if own else None

    def invoice_page(self, reference: str) -> str:
        """What the driver reads at the address that the terminal prints."""
        terminal = self.ptp.state["terminals"][self.ptp.state["holds"][reference]["terminal_id"]]
        return requests.get(terminal["invoice_base_url"] + reference, timeout=10).text
