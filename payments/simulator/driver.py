"""What happens at the terminals: a driver taps a card and stops; and what the provider does on its own."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payments.simulator import commands
from payments.simulator.book import Object
from payments.simulator.cards import draw_card
from payments.simulator.client import Unreachable
from payments.simulator.money import cents
from payments.simulator.office import Office
from payments.simulator.receivers import is_older, object_key
from payments.simulator.schema import parse_time, problems
from payments.simulator.wire import now

FORCED_AMOUNT = Decimal("50.00")


class DriverError(Exception):
    """What the terminal would show instead of starting."""


def push_terminals(office: Office) -> list[Object]:
    """POSTs each terminal to the CPO, without assignment, for that is the CPO's."""
    url = f"{_endpoint(office, 'payments', 'RECEIVER')}/terminals"
    outcomes = []
    for terminal in list(office.book.terminals.values()):
        reply = office.client.call("POST", url, "payments", terminal | {"location_ids": [], "evse_uids": []})
        outcomes.append({"terminal_id": terminal["terminal_id"], "ok": reply.ok, "outcome": reply.reason})
        office.log.record("terminal_pushed", "out", id=terminal["terminal_id"], outcome=reply.reason)
    return outcomes


def pull(office: Office) -> dict[str, int]:
    """Fetches all tariffs and locations; says how many there are."""
    counts = {"tariffs": _pull_tariffs(office), "locations": 0}
    counts["locations"] = _pull(office, "locations", "Location", office.book.locations)
    office.log.record("pulled", "out", locations=counts["locations"], tariffs=counts["tariffs"])
    return counts


def _pull_tariffs(office: Office) -> int:
    return _pull(office, "tariffs", "Tariff", office.book.tariffs)


def _pull(office: Office, module: str, kind: str, table: dict[str, Object]) -> int:
    """Fetches a whole list, which is the new truth: what is not in it is forgotten (OCPI 2.2.1 §4.1.3)."""
    known_before = set(table)
    found: dict[str, Object] = {}
    for page in office.client.pages(_endpoint(office, module, "SENDER"), module):
        for value in page:
            _take(office, kind, value, found)
    with office.book.changing():
        for key in known_before - set(found):
            table.pop(key, None)
        for key, value in found.items():
            # A push that arrived meanwhile may be newer than the page.
            if not is_older(value, table.get(key)):
                table[key] = value
    return len(found)


def _take(office: Office, kind: str, value: Any, found: dict[str, Object]) -> None:
    if faults := problems(kind, value):
        office.complain("schema", "; ".join(faults[:12]), call=f"GET {kind}")
    else:
        found[object_key(value)] = value


def _endpoint(office: Office, module: str, role: str) -> str:
    url = office.book.registration.endpoint(module, role)
    if not office.book.registration.registered or not url:
        raise DriverError(f"not registered, or the CPO has no {module} {role}")
    return url


# -- a tap -------------------------------------------------------------------------------------------------


def tap(office: Office, body: Object) -> Object:
    """A card at a terminal: looks up the price, holds the money, starts. Raises DriverError.

    `force` sends START_SESSION for whatever was named, unchecked, to see how the CPO refuses it.
    """
    place = {name: str(body[name]) for name in ("location_id", "evse_uid", "connector_id")}
    offer = _forced(body) if body.get("force") else _offer(office, place, body.get("terminal_id"))
    if body.get("decline"):
        office.log.record("declined", amount=f"{offer['currency']} {offer['amount']}", terminal=offer["terminal_id"])
        return {"response": "DECLINED", "message": "the bank declines the card: nothing is blocked, nothing is started"}
    trace = office.book.next_trace()
    reference = body.get("authorization_reference") or f"pp-{offer['terminal_id'][-6:]}-{trace}"
    hold = _hold(office, reference, trace, offer, body, place)
    fields = {"token": hold["token"], **place, "authorization_reference": reference}
    try:
        command, reply = commands.send(office, "START_SESSION", reference, fields)
    except Unreachable as error:
        # The CPO may have got the command all the same, so the hold stays until it says otherwise.
        raise DriverError(str(error)) from error
    with office.book.changing():
        hold["command"] = hold["command"] or command["id"]
    if command["response"] != "ACCEPTED":
        commands.release_start(office, command, f"command response {command['response']}")
    return {
        "authorization_reference": reference,
        "command": command["id"],
        "response": command["response"],
        "status_code": reply.code,
        "message": reply.message,
        "amount": hold["amount"],
        **{name: offer[name] for name in ("currency", "alt_text", "tariff_id", "terminal_id")},
    }


def _forced(body: Object) -> Object:
    return {
        "terminal_id": body.get("terminal_id", "NLPTP100101"),
        "tariff_id": None,
        "currency": body.get("currency", "EUR"),
        "amount": cents(body.get("amount", FORCED_AMOUNT)),
        "alt_text": [],
    }


def _offer(office: Office, place: Object, terminal_id: str | None) -> Object:
    """Terminal, tariff and amount of a connector (DirectPayment §4.3)."""
    terminal = _terminal(office, place, terminal_id)
    url = "/".join([_endpoint(office, "locations", "SENDER"), *place.values()])
    connector = _get(office, url, "locations", "Connector")
    tariff = _tariff(office, connector)
    amount = tariff["max_price"].get("incl_vat")
    if amount is None:
        raise DriverError(f"tariff {tariff['id']} has no max_price.incl_vat to hold")
    texts = [f"{text['language']}: {text['text']}" for text in tariff["tariff_alt_text"]]
    office.log.record("shown", terminal=terminal["terminal_id"], tariff=tariff["id"], text=" | ".join(texts))
    return {
        "terminal_id": terminal["terminal_id"],
        "tariff_id": tariff["id"],
        "currency": tariff["currency"],
        "amount": cents(amount),
        "alt_text": tariff["tariff_alt_text"],
    }


def _terminal(office: Office, place: Object, terminal_id: str | None) -> Object:
    """The named terminal, or the first that serves the EVSE; either must serve it."""
    for terminal in office.book.terminals.values():
        if terminal_id and terminal["terminal_id"] != terminal_id:
            continue
        places = (terminal["location_ids"] or []) + (terminal["evse_uids"] or [])
        if {place["location_id"], place["evse_uid"]} & set(places):
            return terminal
    raise DriverError(f"EVSE {place['evse_uid']} is not assigned to {terminal_id or 'any of our terminals'}")


def _get(office: Office, url: str, module: str, kind: str) -> Object:
    reply = office.client.call("GET", url, module)
    if not reply.ok:
        raise DriverError(f"GET {url}: {reply.reason}")
    if faults := problems(kind, reply.data):
        office.complain("schema", "; ".join(faults[:12]), call=f"GET {url}")
        raise DriverError(f"{kind} is malformed: {faults[0]}")
    found: Object = reply.data
    return found


def _tariff(office: Office, connector: Object) -> Object:
    """The tariff for card payments that is valid now."""
    tariffs = [_tariff_by_id(office, identifier) for identifier in connector["tariff_ids"]]
    valid = [tariff for tariff in tariffs if tariff and _valid_now(tariff)]
    for kind in ("AD_HOC_PAYMENT", None):
        for tariff in valid:
            if tariff.get("type") == kind:
                return tariff
    raise DriverError(f"none of the tariffs {connector['tariff_ids']} is for card payment now")


def _tariff_by_id(office: Office, identifier: str) -> Object | None:
    """A tariff we have, or have now; OCPI lets one fetch the list only, not a single tariff."""
    if found := _known_tariff(office, identifier):
        return found
    _pull_tariffs(office)
    return _known_tariff(office, identifier)


def _known_tariff(office: Office, identifier: str) -> Object | None:
    known = list(office.book.tariffs.values())
    return next((tariff for tariff in known if tariff["id"].upper() == identifier.upper()), None)


def _valid_now(tariff: Object) -> bool:
    start, end = (parse_time(tariff.get(name)) for name in ("start_date_time", "end_date_time"))
    present = datetime.now(UTC)
    return (start is None or start <= present) and (end is None or present < end)


def _hold(office: Office, reference: str, trace: str, offer: Object, body: Object, place: Object) -> Object:
    """Reserves the amount at the PSP; a repeated reference keeps the reservation it has."""
    settings = office.settings
    token = {
        "country_code": settings.country,
        "party_id": settings.party,
        "uid": trace,
        "type": "AD_HOC_USER",
        "contract_id": f"{settings.country}{settings.party}{trace}",
        "issuer": settings.name,
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": now(),
    }
    hold = {
        "authorization_reference": reference,
        "state": "HELD",
        "amount": f"{offer['amount']}",
        "currency": offer["currency"],
        "terminal_id": offer["terminal_id"],
        "tariff_id": offer["tariff_id"],
        "trace": trace,
        "token": token,
        "card": draw_card(body.get("card")),
        "decline_capture": bool(body.get("decline_capture")),
        "withhold_advice": bool(body.get("withhold_advice")),
        "retail_factor": str(Decimal(str(body.get("retail_factor", 1)))),
        "retail_surcharge": str(Decimal(str(body.get("retail_surcharge", 0)))),
        "command": None,
        "at": now(),
        **place,
    }
    with office.book.changing() as book:
        known = book.holds.setdefault(reference, hold)
    if known is hold:
        office.log.record(
            "hold",
            amount=f"{hold['currency']} {hold['amount']}",
            card=hold["card"]["masked_number"],
            terminal=hold["terminal_id"],
            authorization_reference=reference,
        )
    return known


def stop(office: Office, body: Object) -> Object:
    """STOP_SESSION for an authorization reference, or for any session_id. Raises DriverError."""
    reference = str(body.get("authorization_reference") or "")
    session = office.book.session_of(reference)
    identifier = body.get("session_id") or (session and session["id"])
    if not identifier:
        raise DriverError(f"there is no session of {reference!r} yet")
    try:
        command, reply = commands.send(office, "STOP_SESSION", reference, {"session_id": identifier})
    except Unreachable as error:
        raise DriverError(str(error)) from error
    return {
        "session_id": identifier,
        "command": command["id"],
        "response": command["response"],
        "status_code": reply.code,
        "message": reply.message,
    }
