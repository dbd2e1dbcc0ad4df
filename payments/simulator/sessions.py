"""What the CPO pushes about charging: sessions and CDRs (RECEIVER)."""

from decimal import Decimal
from typing import Any

from payments.simulator.book import Object
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.money import cents
from payments.simulator.office import Office
from payments.simulator.receivers import (
    checked,
    needs_last_updated,
    not_allowed,
    object_key,
    owned_key,
    same_ids,
    watch_age,
)
from payments.simulator.settlement import release, settle
from payments.simulator.wire import CLIENT_ERROR

FINAL = {"COMPLETED", "INVALID"}


def sessions(office: Office, request: Request) -> Answer:
    """GET, PUT, PATCH of a Session (OCPI 2.2.1 §9.2.2)."""
    if len(request.parts) != 3:
        raise Refusal("url", "the path is /country/party/session", 404, CLIENT_ERROR)
    key = owned_key(office, request.parts)
    before = office.book.sessions.get(key)
    if request.method == "PUT":
        checked("Session", request.body)
        same_ids(request.body, request.parts, "id")
        return _accept(office, request, key, before, request.body)
    if request.method not in {"GET", "PATCH"}:
        raise not_allowed(request)
    if before is None:
        raise Refusal("", "unknown session", 404, CLIENT_ERROR)
    if request.method == "GET":
        return Answer(before)
    needs_last_updated(request.body)
    checked("Session", request.body, partial=True)
    same_ids(request.body, request.parts, "id")
    return _accept(office, request, key, before, _patched(before, request.body))


def _patched(before: Object, patch: Object) -> Object:
    """The session after a PATCH, which appends charging periods and replaces everything else."""
    periods = (before.get("charging_periods") or []) + (patch.get("charging_periods") or [])
    return before | patch | ({"charging_periods": periods} if periods else {})


def _accept(office: Office, request: Request, key: str, before: Object | None, after: Object) -> Answer:
    hold = known_hold(office, after)
    watch_age(office, request, before, after)
    _watch_course(office, request, before, after, hold)
    with office.book.changing() as book:
        book.sessions[key] = after
    total = (after.get("total_cost") or {}).get("incl_vat")
    office.log.record(
        "session",
        "in",
        at=request.received_at,
        id=after["id"],
        status=after["status"],
        kwh=after["kwh"],
        total=total,
        authorization_reference=after["authorization_reference"],
    )
    if after["status"] == "INVALID":
        release(office, after["authorization_reference"], "session INVALID")
    return Answer(status=200 if before else 201)


def known_hold(office: Office, value: Object) -> Object:
    """The hold an object belongs to; nobody else's sessions and CDRs are our business."""
    hold = office.book.holds.get(value["authorization_reference"])
    if hold is None:
        text = f"{value['authorization_reference']!r} is not ours: it was in no START_SESSION"
        raise Refusal("authorization-reference", text)
    return hold


def _watch_course(office: Office, request: Request, before: Object | None, after: Object, hold: Object) -> None:
    """Complains about sessions that go an impossible way; a real provider would take them all the same."""
    context = {"path": request.path, "authorization_reference": after["authorization_reference"]}
    if before and before["status"] in FINAL and after != before:
        office.complain("session-final", f"changed after it was {before['status']}", **context)
    if before and Decimal(after["kwh"]) < Decimal(before["kwh"]):
        office.complain("session-kwh", f"kwh falls from {before['kwh']} to {after['kwh']}", **context)
    if after["status"] == "COMPLETED" and not after.get("end_date_time"):
        office.complain("session-end", "COMPLETED without end_date_time", **context)
    _watch_start(office, after, hold, context)
    total = (after.get("total_cost") or {}).get("incl_vat")
    if total is not None and cents(total) > Decimal(hold["amount"]):
        office.complain("above-hold", f"total_cost {total} is above the {hold['amount']} held", **context)


def _watch_start(office: Office, value: Object, hold: Object, context: dict[str, Any]) -> None:
    """Complains when a session or CDR does not say what the START_SESSION said."""
    if value["auth_method"] != "COMMAND":
        office.complain("auth-method", f"{value['auth_method']} though a command started it", **context)
    if value["currency"] != hold["currency"]:
        office.complain("currency", f"{value['currency']} instead of {hold['currency']}", **context)
    for name in ("uid", "type", "contract_id", "country_code", "party_id"):
        if value["cdr_token"][name] != hold["token"][name]:
            office.complain("cdr-token", f"cdr_token.{name} differs from the START_SESSION", **context)


def cdrs(office: Office, request: Request) -> Answer:
    """POST of a CDR, and GET where its Location header says (OCPI 2.2.1 §10.2.2)."""
    if request.method == "GET" and len(request.parts) == 3:
        found = office.book.cdrs.get(owned_key(office, request.parts))
        if found is None:
            raise Refusal("", "unknown CDR", 404, CLIENT_ERROR)
        return Answer(found)
    if request.method != "POST" or request.parts:
        raise not_allowed(request)
    checked("CDR", request.body)
    key = owned_key(office, [request.body[name] for name in ("country_code", "party_id", "id")])
    location = {"Location": office.module_url(f"cdrs/{key}")}
    with office.book.changing() as book:
        first = book.cdr_bodies.setdefault(key, request.raw.decode())
        if key in book.cdrs:
            return _repeated(request, first, location)
        try:
            hold = known_hold(office, request.body)
        except Refusal:
            del book.cdr_bodies[key]
            raise
        book.cdrs[key] = request.body
    _tell(office, request)
    _watch_cdr(office, request, hold)
    settle(office, request.body)
    return Answer(status=201, headers=location)


def _repeated(request: Request, first: str, location: dict[str, str]) -> Answer:
    if request.raw.decode() != first:
        raise Refusal("cdr-changed", "a CDR with this id and another content exists; CDRs never change")
    return Answer(headers=location)


def _tell(office: Office, request: Request) -> None:
    cdr = request.body
    office.log.record(
        "cdr",
        "in",
        at=request.received_at,
        id=cdr["id"],
        total=cdr["total_cost"].get("incl_vat"),
        kwh=cdr["total_energy"],
        invoice_reference_id=cdr.get("invoice_reference_id"),
        authorization_reference=cdr["authorization_reference"],
    )


def _watch_cdr(office: Office, request: Request, hold: Object) -> None:
    cdr = request.body
    context = {"cdr": cdr["id"], "authorization_reference": cdr["authorization_reference"]}
    gross = cdr["total_cost"].get("incl_vat")
    if gross is None:
        office.complain("consumer-price", "total_cost has no incl_vat", **context)
    elif cents(gross) > Decimal(hold["amount"]):
        office.complain("above-hold", f"total_cost {gross} is above the {hold['amount']} held", **context)
    if not cdr.get("session_id"):
        office.complain("cdr-session", "session_id is missing", **context)
    elif object_key(cdr | {"id": cdr["session_id"]}) not in office.book.sessions:
        office.complain("cdr-session", f"session {cdr['session_id']} was never pushed", **context)
    _watch_start(office, cdr, hold, context)
    _watch_invoice(office, cdr, hold, context)


def _watch_invoice(office: Office, cdr: Object, hold: Object, context: dict[str, Any]) -> None:
    terminal = office.book.terminals.get(hold["terminal_id"]) or {}
    creator, invoice = terminal.get("invoice_creator", "CPO"), cdr.get("invoice_reference_id")
    if creator == "CPO" and not invoice:
        office.complain("invoice", "the CPO makes the invoice, but invoice_reference_id is missing", **context)
    if creator == "PTP" and invoice:
        office.complain("invoice", "we make the invoice, but invoice_reference_id is set", **context)
