"""The payments module as its owner: terminals and financial advices (DirectPayment §5, SENDER)."""

from urllib.parse import urlencode

from payments.simulator.book import Object
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.office import Office
from payments.simulator.receivers import checked, not_allowed
from payments.simulator.schema import parse_time
from payments.simulator.wire import CLIENT_ERROR, now

LARGEST_PAGE = 50


def payments(office: Office, request: Request) -> Answer:
    """/terminals[/id] and /financial-advice-confirmations[/id]."""
    collection, identifier = (*request.parts, "", "")[:2]
    if collection == "terminals":
        return _terminals(office, request, identifier)
    if collection == "financial-advice-confirmations":
        advices = [entry["advice"] for entry in office.book.advices.values()]
        return _read(office, request, advices, "id", identifier)
    raise Refusal("url", "there are terminals and financial-advice-confirmations", 404, CLIENT_ERROR)


def _terminals(office: Office, request: Request, identifier: str) -> Answer:
    if request.method == "GET":
        known = list(office.book.terminals.values())
        return _read(office, request, known, "terminal_id", identifier)
    if request.method not in {"PATCH", "PUT"} or not identifier:
        raise not_allowed(request)
    terminal = _find(list(office.book.terminals.values()), "terminal_id", identifier)
    checked("TerminalUpdate", request.body, partial=True)
    named = request.body.get("terminal_id", identifier)
    if named.upper() != identifier.upper():
        raise Refusal("ids", f"terminal_id is {named!r} in the body and {identifier!r} in the URL")
    # A PUT names only what the CPO may change (DirectPayment §5.1.1.3), so it erases nothing either.
    with office.book.changing():
        terminal.update({"last_updated": now()} | request.body | {"terminal_id": terminal["terminal_id"]})
    office.log.record(
        "terminal_assigned",
        "in",
        at=request.received_at,
        id=identifier,
        locations=" ".join(terminal["location_ids"] or []) or "none",
        evses=" ".join(terminal["evse_uids"] or []) or "none",
    )
    return Answer()


def _read(office: Office, request: Request, objects: list[Object], id_field: str, identifier: str) -> Answer:
    if request.method != "GET":
        raise not_allowed(request)
    if identifier:
        return Answer(_find(objects, id_field, identifier))
    return _page(office, request, objects)


def _find(objects: list[Object], id_field: str, identifier: str) -> Object:
    for value in objects:
        if value[id_field].upper() == identifier.upper():
            return value
    raise Refusal("", f"unknown {id_field}", 404, CLIENT_ERROR)


def _page(office: Office, request: Request, objects: list[Object]) -> Answer:
    """A page of a list with its headers (OCPI 2.2.1 §4.1.3)."""
    wanted = [value for value in objects if _in_range(request, value)]
    offset, limit = _number(request, "offset", 0), _number(request, "limit", LARGEST_PAGE)
    if not limit:
        raise Refusal("pagination", "limit must be above zero")
    limit = min(limit, LARGEST_PAGE)
    headers = {"X-Total-Count": str(len(wanted)), "X-Limit": str(LARGEST_PAGE)}
    if offset + limit < len(wanted):
        query = urlencode(request.query | {"offset": str(offset + limit), "limit": str(limit)})
        url = office.module_url("/".join(["payments", request.parts[0]]))
        headers["Link"] = f'<{url}?{query}>; rel="next"'
    return Answer(wanted[offset : offset + limit], headers=headers)


def _in_range(request: Request, value: Object) -> bool:
    updated = parse_time(value["last_updated"])
    for name in ("date_from", "date_to"):
        if name not in request.query:
            continue
        bound = parse_time(request.query[name])
        if bound is None:
            raise Refusal("pagination", f"{name} is no DateTime")
        if updated and (updated < bound if name == "date_from" else updated >= bound):
            return False
    return True


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdigit():
        raise Refusal("pagination", f"{name} is no number")
    return int(text)
