"""One request and what came of it, as whoever watches the traffic sees it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

MODULES = frozenset(
    {
        "cdrs",
        "chargingprofiles",
        "commands",
        "credentials",
        "hubclientinfo",
        "locations",
        "payments",
        "sessions",
        "tariffs",
        "tokens",
    }
)
VERSIONS = "versions"
_VERSION = re.compile(r"\d\.\d(?:\.\d)?(?:-\w+)?")


@dataclass(frozen=True, slots=True)
class Exchange:
    """`http_status` is None when no answer came; `error` says in words why a call of ours did not succeed."""

    method: str
    url: str
    authorization: str
    request_id: str
    correlation_id: str
    request: bytes
    http_status: int | None
    response: bytes
    started_at: datetime
    duration_s: float
    error: str = ""


Observer = Callable[[Exchange], None]


class Subject(NamedTuple):
    """What a message is about. `object_id` has no owner in front: "LOC1/EVSE1/1", "START_SESSION", "S1"."""

    module: str = ""
    object_id: str = ""


def subject_of(url: str) -> Subject:
    """What an address names; empty parts where it does not tell (a response_url may be anything)."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] in MODULES:
            return Subject(parts[index], without_owner("/".join(parts[index + 1 :])))
    if parts and (parts[-1] == VERSIONS or _VERSION.fullmatch(parts[-1])):
        return Subject(VERSIONS)
    return Subject()


def without_owner(path: str) -> str:
    """Of "AT/PLG/S1" the "S1" (client owned objects, 2.2.1 transport_and_format, 4.1.7)."""
    parts = path.split("/", 2)
    has_owner = len(parts) == 3 and len(parts[0]) == 2 and len(parts[1]) == 3
    return parts[2] if has_owner else path
