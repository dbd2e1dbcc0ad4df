"""Plugtill as a process, a charger at its socket, and partners that have registered over HTTP."""

import itertools
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import requests

from tests.conformance import seed
from tests.conformance.charger import Charger, until
from tests.conformance.client import Answer, Client
from tests.conformance.partner import EMSP_ENDPOINTS, PTP_ENDPOINTS, Partner, Received, serving
from tests.e2e.admin_site import AdminSite
from tests.e2e.plugtill import PlugtillProcess

Json = dict[str, Any]
ENVIRONMENT = {
    "COMMAND_TIMEOUT_SECONDS": "6",
    "SESSION_PROGRESS_SECONDS": "0",
    "PLUG_IN_TIMEOUT_SECONDS": "120",
    # The suite is independent of what this installation may have to log.
    "LOG_LEVEL": "INFO",
}
SEED = "from tests.conformance.seed import main; main()"
RESULTS = "/results/"


@dataclass(frozen=True)
class Peer:
    """A registered partner and its client."""

    partner: Partner
    client: Client


@dataclass(frozen=True)
class Run:
    """A session that the charger has begun."""

    reference: str
    evse: int
    transaction: int
    session: Json
    began: datetime

    @property
    def path(self) -> str:
        return f"/2.2.1/sessions/{self.session['country_code']}/{self.session['party_id']}/{self.session['id']}"


class Stage:
    """EVSEs are handed out by `evse()`, each to one test, so that tests do not meet each other."""

    def __init__(self, folder: Path) -> None:
        self.plugtill = PlugtillProcess(folder, ENVIRONMENT)
        self._stack = ExitStack()
        self._numbers = itertools.count(1)
        self._evses = iter(range(1, seed.EVSES))
        self._free_again: list[int] = []
        self.charger: Charger
        self.admin: AdminSite
        self.ptp: Peer
        self.other: Peer
        self.emsp: Peer
        self.hub: Peer

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.plugtill)
            self.plugtill.start()
            self.secrets = json.loads(self.plugtill.manage("shell", "-c", SEED).splitlines()[-1])
            url = f"ws://127.0.0.1:{self.plugtill.port}/ocpp"
            charger = Charger(url, "CP-1", self.secrets["charger"], seed.EVSES)
            self._stack = stack
            self.charger = stack.enter_context(charger)
            self._register_partners()
            self.admin = AdminSite(self.base, self.secrets["user"], self.secrets["password"])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def base(self) -> str:
        return self.plugtill.base_url

    # -- partners

    def _register_partners(self) -> None:
        self.ptp = self.register("ptp", self.new_partner("PTP"))
        self.other = self.register("other", self.new_partner("OTH"))
        roles = [("EMSP", "DE", "EMP"), ("EMSP", "DE", "EM2")]
        self.emsp = self.register("emsp", self.new_partner("EMP", country="DE", roles=roles, endpoints=EMSP_ENDPOINTS))
        self.hub = self.register("hub", self.new_partner("HUB", roles=[("HUB", "NL", "HUB")], endpoints=EMSP_ENDPOINTS))
        # From here on every partner knows what it may see.
        for peer in (self.ptp, self.other):
            peer.partner.wait("PUT", "/2.2.1/locations", count=seed.AREAS)
        for peer in (self.emsp, self.hub):
            peer.partner.wait("PUT", "/2.2.1/locations", count=seed.AREAS + 1)

    def new_partner(
        self,
        party: str,
        *,
        country: str = "NL",
        roles: list[tuple[str, str, str]] | None = None,
        endpoints: dict[str, str] | None = None,
        **fields: Any,
    ) -> Partner:
        """A partner that listens, but is unknown to Plugtill."""
        token = f"token-b-of-{party.lower()}-{next(self._numbers)}"
        own_roles = roles or [("OTHER", country, party)]
        partner = Partner(country, party, own_roles, dict(endpoints or PTP_ENDPOINTS), token, **fields)
        self._stack.enter_context(serving(partner))
        return partner

    def newcomer(self, code: str, partner: Partner) -> Client:
        """A client with the registration token of a platform."""
        return Client(self.base, self.secrets["tokens"][code], (partner.country, partner.party))

    def register(self, code: str, partner: Partner) -> Peer:
        client = self.newcomer(code, partner)
        answer = client.post("credentials", partner.credentials())
        assert answer.code == 1000, answer.raw
        return Peer(partner, client.with_token(answer.data["token"]))

    # -- staff

    def row(self, model: str, search: str) -> str:
        return self.admin.row(model, search)

    def save(self, model: str, search: str, **fields: Any) -> None:
        self.admin.save(f"{self.row(model, search)}change/", **fields)

    def staff(self, code: str) -> str:
        """What the admin has no button for, as Python in `manage.py shell`."""
        return self.plugtill.manage("shell", "-c", code)

    def browse(self, path: str) -> str:
        """A public page."""
        return requests.get(self.base + path, timeout=20).text

    # -- sessions

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    def evse(self) -> int:
        return next(self._evses)

    def reference(self) -> str:
        return f"ref-{next(self._numbers):04}"

    def start_body(self, evse: int, reference: str, *, peer: Peer | None = None, **changes: Any) -> Json:
        partner = (peer or self.ptp).partner
        token = {
            "country_code": partner.country,
            "party_id": partner.party,
            "uid": f"CARD-{reference}",
            "type": "AD_HOC_USER",
            "contract_id": f"CONTRACT-{reference}",
            "issuer": "Test",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        }
        return {
            "response_url": f"{partner.url}{RESULTS}{reference}?command={reference}",
            "token": token,
            "location_id": "MAIN",
            "evse_uid": f"CP-1-{evse}",
            "connector_id": "1",
            "authorization_reference": reference,
        } | changes

    def command(self, evse: int, reference: str, *, peer: Peer | None = None, **changes: Any) -> Answer:
        client = (peer or self.ptp).client
        return client.post("commands/START_SESSION", self.start_body(evse, reference, peer=peer, **changes))

    def result(self, reference: str, peer: Peer | None = None) -> Received:
        """The CommandResult of `command`."""
        return (peer or self.ptp).partner.wait("POST", f"{RESULTS}{reference}")

    def begin(
        self, evse: int, *, ago: timedelta = timedelta(0), peer: Peer | None = None, wh: int = 1000, **changes: Any
    ) -> Run:
        """Starts by command, and the charger's transaction began so long ago, which it tells only now.

        Nothing begins before it was commanded, so the command was given so long ago, too.
        """
        partner, reference = (peer or self.ptp).partner, self.reference()
        answer = self.command(evse, reference, peer=peer, **changes)
        assert answer.data["result"] == "ACCEPTED", answer.raw
        # The charger said yes before it says that it began.
        assert self.result(reference, peer).body["result"] == "ACCEPTED"
        tag = self.charger.wait("RemoteStartTransaction", connectorId=evse, count=self._starts(evse))["idTag"]
        began = self.now() - ago
        if ago:
            self._backdate_command(reference, began)
        transaction = self.charger.start(evse, tag, began, wh)
        pushed = partner.wait("PUT", "/2.2.1/sessions", authorization_reference=reference)
        return Run(reference, evse, transaction, pushed.body, began)

    def _backdate_command(self, reference: str, at: datetime) -> None:
        statement = "UPDATE chargers_chargingsession SET created_at = %s WHERE authorization_reference = %s"
        # As Django writes it to SQLite.
        assert self.plugtill.execute(statement, at.strftime("%Y-%m-%d %H:%M:%S"), reference) == 1

    def _starts(self, evse: int) -> int:
        return len(self.charger.called("RemoteStartTransaction", connectorId=evse)) or 1

    def end(self, run: Run, *, wh: int, after: timedelta, peer: Peer | None = None) -> Json:
        """The charger's transaction ends; the CDR that the partner gets."""
        self.charger.stop(run.transaction, run.began + after, wh)
        self.charger.status(run.evse, "Available")
        cdr: Json = self.cdr(run, peer).body
        return cdr

    def cdr(self, run: Run, peer: Peer | None = None) -> Received:
        return (peer or self.ptp).partner.wait("POST", "/2.2.1/cdrs", session_id=run.session["id"])

    def charged(
        self, *, wh: int = 11_000, minutes: int = 30, peer: Peer | None = None, **changes: Any
    ) -> tuple[Run, Json]:
        """A whole session in the past half hour, and its CDR."""
        after, evse = timedelta(minutes=minutes), self._free_again.pop() if self._free_again else self.evse()
        run = self.begin(evse, ago=after, peer=peer, **changes)
        cdr = self.end(run, wh=wh, after=after, peer=peer)
        self._free_again.append(evse)
        return run, cdr

    def session(self, run: Run, peer: Peer | None = None) -> Json:
        """As the partner reads it now."""
        found: Json = (peer or self.ptp).client.get(f"sessions/{run.session['id']}").data
        return found

    def wait_for_status(self, run: Run, status: str, peer: Peer | None = None) -> Json:
        def read() -> Json | None:
            found = self.session(run, peer)
            return found if found["status"] == status else None

        found: Json = until(f"session {status}", read)
        return found
