"""What must hold after every fault, for every session there ever was: read from the rows and from the peer's book."""

from dataclasses import dataclass, field

from tests.chaos.servers import Postgres
from tests.e2e.cast import Provider

OPEN_SESSIONS = "SELECT uid, status FROM chargers_chargingsession WHERE status IN ('PENDING', 'ACTIVE', 'RESERVATION')"
CDRS_OF_SESSIONS = """
SELECT s.authorization_reference, s.uid, count(c.id) FROM chargers_chargingsession s
LEFT JOIN chargers_cdr c ON c.session_id = s.id AND NOT c.is_credit
WHERE s.status = 'COMPLETED' GROUP BY s.id"""
DELIVERIES = """
SELECT c.uid, d.acknowledged IS NOT NULL,
  EXISTS (SELECT 1 FROM roaming_push p WHERE p.module = 'cdrs' AND p.state IN ('PENDING', 'IN_FLIGHT')
          AND p.object_id = d.country_code || '/' || d.party_id || '/' || d.object_id)
FROM chargers_cdr c LEFT JOIN roaming_document d ON d.module = 'cdrs' AND d.object_id = c.uid"""
SERIES = """
SELECT s.last_number, count(i.id), count(DISTINCT i.number), count(DISTINCT i.cdr_id), min(i.number), max(i.number)
FROM payments_invoiceseries s LEFT JOIN payments_invoice i
  ON i.operator_id = s.operator_id AND i.kind = s.kind AND i.number LIKE s.year || '-%%'
GROUP BY s.id"""


@dataclass
class Promise:
    """Counts of everything so far, and what contradicts the promise."""

    sessions: int = 0
    delivered: int = 0
    waiting: int = 0
    repeated: int = 0
    invoices: int = 0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.sessions} sessions, {self.delivered} CDRs delivered, {self.waiting} waiting, "
            f"{self.repeated} repeated unchanged, {self.invoices} invoices"
        )


def look(postgres: Postgres, ptp: Provider) -> Promise:
    """Everything of the installation; `broken` is empty when nothing was lost and nothing is there twice."""
    promise = Promise()
    promise.broken += [f"session {uid} is still {status}" for uid, status in postgres.rows(OPEN_SESSIONS)]
    _look_at_cdrs(promise, postgres)
    _look_at_peer(promise, postgres, ptp)
    for last, invoices, numbers, cdrs, first_number, last_number in postgres.rows(SERIES):
        promise.invoices += invoices
        if not last == invoices == numbers == cdrs or int(last_number[-6:]) - int(first_number[-6:]) != last - 1:
            promise.broken.append(f"{invoices} invoices from {first_number} to {last_number}, counted {last}")
    if promise.invoices != promise.sessions:
        promise.broken.append(f"{promise.invoices} invoices for {promise.sessions} sessions")
    return promise


def _look_at_cdrs(promise: Promise, postgres: Postgres) -> None:
    for reference, uid, number in postgres.rows(CDRS_OF_SESSIONS):
        promise.sessions += 1
        if number != 1:
            promise.broken.append(f"session {reference or uid} has {number} CDRs")
    for uid, is_acknowledged, is_waiting in postgres.rows(DELIVERIES):
        promise.delivered += is_acknowledged
        promise.waiting += is_waiting and not is_acknowledged
        if not is_acknowledged and not is_waiting:
            promise.broken.append(f"CDR {uid} is neither delivered nor waiting")


def _look_at_peer(promise: Promise, postgres: Postgres, ptp: Provider) -> None:
    state = ptp.state
    held = [cdr["id"] for cdr in state["cdrs"].values()]
    sessions = [cdr["session_id"] for cdr in state["cdrs"].values()]
    # A repetition is answered 200, a new one 201; one with other content is a complaint.
    promise.repeated = len(ptp.events("http", direction="in", module="cdrs", method="POST", status=200))
    if len(held) != len(set(held)) or len(sessions) != len(set(sessions)):
        promise.broken.append("the peer holds two CDRs of one session")
    confirmed = {uid for uid, is_acknowledged, _ in postgres.rows(DELIVERIES) if is_acknowledged}
    if missing := confirmed - set(held):
        promise.broken.append(f"confirmed, but not at the peer: {missing}")
    captured = ptp.events("capture")
    if len(captured) != len({event["authorization_reference"] for event in captured}):
        promise.broken.append("a card was charged twice")
    promise.broken += [f"the peer complains: {one}" for one in state["complaints"]]
