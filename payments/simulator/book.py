"""Everything the provider knows, kept in memory and, if asked, in a file."""

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from payments.simulator.wire import dumps, loads, now

Object = dict[str, Any]
REMEMBERED_REQUESTS = 50_000


@dataclass
class Registration:
    """The connection with the CPO. Its calls carry server_token, ours client_token."""

    offered_token: str = ""
    server_token: str = ""
    previous_token: str = ""
    client_token: str = ""
    versions_url: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)
    roles: list[Object] = field(default_factory=list)
    registered_at: str = ""

    @property
    def registered(self) -> bool:
        return bool(self.registered_at)

    def endpoint(self, module: str, role: str) -> str:
        """The CPO's URL of a module, without a slash at the end; "" when it has none."""
        return self.endpoints.get(f"{module}:{role}", "").rstrip("/")

    def parties(self) -> set[tuple[str, str]]:
        """The CPO's (country code, party id) in upper case."""
        return {(role["country_code"].upper(), role["party_id"].upper()) for role in self.roles}


class Book:
    """Holds the objects. Take `changing()` around every change; it also writes the file."""

    TABLES = (
        "locations",
        "tariffs",
        "sessions",
        "cdrs",
        "cdr_bodies",
        "terminals",
        "holds",
        "captures",
        "advices",
        "commands",
    )

    def __init__(self, path: Path | None) -> None:
        self.lock = threading.RLock()
        self._path = path
        self.registration = Registration()
        # Locations, tariffs, sessions and CDRs by "COUNTRY/PARTY/ID", money by authorization reference.
        self.locations: dict[str, Object] = {}
        self.tariffs: dict[str, Object] = {}
        self.sessions: dict[str, Object] = {}
        self.cdrs: dict[str, Object] = {}
        self.cdr_bodies: dict[str, str] = {}
        self.terminals: dict[str, Object] = {}
        self.holds: dict[str, Object] = {}
        self.captures: dict[str, Object] = {}
        self.advices: dict[str, Object] = {}
        self.commands: dict[str, Object] = {}
        self.complaints: list[Object] = []
        # Where a trace number begins must differ between runs, or references would repeat.
        self.trace = int(time.time()) * 10 % 10_000_000_000
        self._requests: deque[str] = deque(maxlen=REMEMBERED_REQUESTS)
        self._request_set: set[str] = set()
        self._load()

    @contextmanager
    def changing(self) -> Iterator["Book"]:
        """Exclusive access; the state file is written at the end."""
        with self.lock:
            yield self
            self._save()

    def seen_before(self, request_id: str) -> bool:
        """Remembers an X-Request-ID; says whether it came before."""
        with self.lock:
            known = request_id in self._request_set
            if len(self._requests) == self._requests.maxlen:
                self._request_set.discard(self._requests[0])
            self._requests.append(request_id)
            self._request_set.add(request_id)
            return known

    def next_trace(self) -> str:
        """The payment token trace number of the next transaction: ten digits, never used before."""
        with self.changing():
            self.trace += 1
            return f"{self.trace:010}"

    def session_of(self, reference: str) -> Object | None:
        """The newest session of an authorization reference."""
        return _newest(self.sessions, reference)

    def public_state(self) -> Object:
        """All of it for people and tests, without secrets; objects by their plain id."""
        with self.lock:
            plain = {
                name: {key.rsplit("/", 1)[-1]: value for key, value in getattr(self, name).items()}
                for name in self.TABLES
                if name not in {"cdr_bodies", "commands"}
            }
            described = plain | {
                "registered": self.registration.registered,
                "peer": {"roles": self.registration.roles, "endpoints": self.registration.endpoints},
                "command_results": self.commands,
                "complaints": self.complaints,
            }
            # Written out later, while other threads go on changing the originals.
            return deepcopy(described)

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        kept = loads(self._path.read_bytes())
        self.registration = Registration(**kept["registration"])
        self.complaints, self.trace = kept["complaints"], kept["trace"]
        for name in self.TABLES:
            setattr(self, name, kept[name])

    def _save(self) -> None:
        if self._path is None:
            return
        tables = {name: getattr(self, name) for name in self.TABLES}
        one = {
            "registration": asdict(self.registration),
            "complaints": self.complaints,
            "trace": self.trace,
        }
        draft = self._path.with_suffix(self._path.suffix + ".new")
        draft.write_text(dumps(one | tables))
        os.replace(draft, self._path)


def _newest(objects: dict[str, Object], reference: str) -> Object | None:
    found = [value for value in objects.values() if value.get("authorization_reference") == reference]
    return max(found, key=lambda value: str(value.get("last_updated", "")), default=None)


def new_token() -> str:
    """A credentials token: 43 characters, printable ASCII."""
    return secrets.token_urlsafe(32)


def new_terminal(number: int, country: str, party: str, invoice_creator: str) -> Object:
    """A terminal as it leaves the factory."""
    return {
        "terminal_id": f"{country}{party}{100_100 + number}",
        "customer_reference": "Plugtill",
        "address": f"Stationsplein {number}",
        "city": "Utrecht",
        "postal_code": "3511 ED",
        "country": "NLD",
        "coordinates": {"latitude": "52.089180", "longitude": "5.109910"},
        "invoice_creator": invoice_creator,
        "location_ids": [],
        "evse_uids": [],
        "last_updated": now(),
    }
