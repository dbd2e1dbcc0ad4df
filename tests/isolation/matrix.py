"""What platform B and a token of operator B try with the ids of A; writes the table into docs/security.md:
`python -m tests.isolation.matrix`.

A new address below /ocpi/, /api/v1/ or /invoices/ without a row here fails a test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent.parent.parent / "docs" / "security.md"
BEGIN, END = "<!-- isolation matrix: begin -->", "<!-- isolation matrix: end -->"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OBJECT = "as if it were not there, in every form of the id; nothing of A is changed"
LIST = "nothing of A is in it"
OWN = "only B's own: the token alone says whose"
REJECTED = "REJECTED, as OCPI asks for another party's session; nothing of A is changed"


class Row(NamedTuple):
    """`ids`: the parameters of the address as platform A's; "{}" stands for nothing."""

    kind: str
    ids: tuple[str, ...] = ()


V = "ocpi/2.2.1/"
OCPI: dict[str, Row] = {
    "ocpi/versions": Row(OWN),
    "ocpi/2.2.1": Row(OWN),
    V + "credentials": Row(OWN),
    V + "locations": Row(LIST),
    V + "locations/{location_id}": Row(OBJECT, ("AREA-A",)),
    V + "locations/{location_id}/{evse_uid}": Row(OBJECT, ("AREA-A", "EVSE-A")),
    V + "locations/{location_id}/{evse_uid}/{connector_id}": Row(OBJECT, ("AREA-A", "EVSE-A", "1")),
    V + "tariffs": Row(LIST),
    V + "tariffs/{object_id}": Row(OBJECT, ("TARIFF-A",)),
    V + "tariffs/{country_code}/{party_id}/{object_id}": Row(OBJECT, ("AT", "AAA", "TARIFF-A")),
    V + "sessions": Row(LIST),
    V + "sessions/{object_id}": Row(OBJECT, ("SESSION-A",)),
    V + "sessions/{object_id}/charging_preferences": Row(OBJECT, ("SESSION-A",)),
    V + "cdrs": Row(LIST),
    V + "cdrs/{object_id}": Row(OBJECT, ("CDR-A",)),
    V + "commands/{command}": Row(REJECTED),
    V + "chargingprofiles/{session_id}": Row(REJECTED, ("SESSION-A",)),
    V + "tokens/{country_code}/{party_id}/{uid}": Row(OBJECT, ("DE", "EMA", "TOKEN-A")),
    V + "hubclientinfo/{country_code}/{party_id}": Row(OBJECT, ("DE", "EMA")),
    V + "payments/terminals": Row(LIST),
    V + "payments/terminals/{terminal_id}": Row(OBJECT, ("TERMINAL-A",)),
    V + "payments/financial_advice_confirmations": Row(LIST),
    V + "payments/financial_advice_confirmations/{advice_id}": Row(OBJECT, ("ADVICE-A",)),
    V + "payments/financial-advice-confirmations": Row(LIST),
    V + "payments/financial-advice-confirmations/{advice_id}": Row(OBJECT, ("ADVICE-A",)),
}

_API = "404, word for word as for an id that is not there"
# Probed one by one in tests/api/test_isolation.py, whose rows are compared with these.
API: dict[str, str] = {
    "api/v1/schema": "public: describes, holds no data",
    "api/v1/docs": "public: describes, holds no data",
    "api/v1/areas": LIST,
    "api/v1/charge-points": LIST,
    "api/v1/charge-points/{identity}": _API,
    "api/v1/charge-points/{identity}/connection": _API,
    "api/v1/charge-points/{identity}/credentials": _API,
    "api/v1/charge-points/{identity}/commands/{action}": _API,
    "api/v1/charge-points/{identity}/local-list": _API,
    "api/v1/charge-points/{identity}/local-list/send": _API,
    "api/v1/calls": LIST,
    "api/v1/calls/{pk}": _API,
    "api/v1/transactions": LIST,
    "api/v1/transactions/{ref}": _API,
    "api/v1/transactions/{ref}/close": _API,
    "api/v1/reservations": LIST,
    "api/v1/reservations/{pk}": _API,
    "api/v1/reservations/{pk}/cancel": _API,
    "api/v1/charging-profiles": LIST,
    "api/v1/charging-profiles/{id}": _API,
    "api/v1/charging-profiles/{id}/set": _API,
    "api/v1/id-tokens": LIST,
    "api/v1/id-tokens/{pk}": _API,
    "api/v1/messages": LIST,
}
PUBLIC: dict[str, str] = {
    "invoices/{code}/{reference}": "found with the slug of the platform and its reference together; "
    "with B's slug A's reference is unknown",
}


def forms(value: str) -> Iterator[str]:
    """Ways to write an id that a careless comparison would take for the same, or let out of its place."""
    yield value
    yield value.lower()
    yield f"%{ord(value[0]):02X}{value[1:]}"
    yield f"{value}%20"
    yield f"{value}%00"
    yield f"{value}/"
    yield f"x%2F..%2F{value}"
    yield f"{value}%27%20OR%20%271%27%3D%271"


def table() -> str:
    lines = [BEGIN, "| address | methods | what B gets |", "|---|---|---|"]
    every = ", ".join(METHODS)
    lines += [f"| `{path}` | {'GET' if row.kind == OWN else every} | {row.kind} |" for path, row in OCPI.items()]
    lines += [f"| `{path}` | those of the API | {text} |" for path, text in API.items()]
    lines += [f"| `{path}` | GET | {text} |" for path, text in PUBLIC.items()]
    return "\n".join([*lines, END])


def with_table(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    DOCS.write_text(with_table(DOCS.read_text()))
