"""What the CPO pushes about its places and prices: locations and tariffs (RECEIVER)."""

from typing import Any

from payments.simulator.book import Object
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.office import Office
from payments.simulator.schema import parse_time, problems
from payments.simulator.wire import CLIENT_ERROR

LEVELS = ("Location", "EVSE", "Connector")
ID_FIELDS = ("id", "uid", "id")
CHILDREN = ("evses", "connectors")


def locations(office: Office, request: Request) -> Answer:
    """GET, PUT, PATCH of a Location, EVSE or Connector (OCPI 2.2.1 §8.2.2)."""
    if not 3 <= len(request.parts) <= 5:
        raise Refusal("url", "the path is /country/party/location[/evse[/connector]]", 404, CLIENT_ERROR)
    key = owned_key(office, request.parts)
    if request.method == "GET":
        return Answer(_walk(office, key, request.parts[3:])[-1])
    if request.method == "PUT":
        return _put(office, request, key)
    if request.method == "PATCH":
        return _patch(office, request, key)
    raise not_allowed(request)


def tariffs(office: Office, request: Request) -> Answer:
    """GET, PUT, DELETE of a Tariff (OCPI 2.2.1 §11.2.2); there is no PATCH."""
    if len(request.parts) != 3:
        raise Refusal("url", "the path is /country/party/tariff", 404, CLIENT_ERROR)
    key = owned_key(office, request.parts)
    known = office.book.tariffs.get(key)
    if request.method == "PUT":
        checked("Tariff", request.body)
        same_ids(request.body, request.parts, "id")
        with office.book.changing() as book:
            book.tariffs[key] = request.body
        office.log.record("tariff", "in", at=request.received_at, id=request.parts[2])
        return Answer(status=200 if known else 201)
    if request.method not in {"GET", "DELETE"}:
        raise not_allowed(request)
    if known is None:
        raise Refusal("", "unknown tariff", 404, CLIENT_ERROR)
    if request.method == "DELETE":
        with office.book.changing() as book:
            del book.tariffs[key]
        office.log.record("tariff_deleted", "in", at=request.received_at, id=request.parts[2])
        return Answer()
    return Answer(known)


# -- rules all receivers share -----------------------------------------------------------------------------


def not_allowed(request: Request) -> Refusal:
    text = f"{request.method} does not exist on {request.module}"
    return Refusal("method", text, 405, CLIENT_ERROR)


def owned_key(office: Office, parts: list[str]) -> str:
    """Our key of an object; refuses owners that are none of the CPO's roles (OCPI 2.2.1 §4.1.7)."""
    country, party, identifier = parts[:3]
    if (country.upper(), party.upper()) not in office.book.registration.parties():
        text = f"{country}/{party} is none of your roles"
        raise Refusal("ownership", text, 404, CLIENT_ERROR)
    return f"{country}/{party}/{identifier}".upper()


def object_key(value: Object) -> str:
    return f"{value['country_code']}/{value['party_id']}/{value['id']}".upper()


def checked(kind: str, body: Any, *, partial: bool = False) -> None:
    """Refuses an object that lacks required fields or holds wrong values."""
    if found := problems(kind, body, partial=partial):
        raise Refusal("schema", "; ".join(found[:12]))


def same_ids(body: Object, parts: list[str], id_field: str) -> None:
    """Refuses a body that is somebody else than its URL says."""
    named = (("country_code", parts[0]), ("party_id", parts[1]), (id_field, parts[2]))
    for name, expected in named:
        if name in body and str(body[name]).upper() != expected.upper():
            raise Refusal("ids", f"{name} is {body[name]!r} in the body and {expected!r} in the URL")


def needs_last_updated(body: Object) -> None:
    if not parse_time(body.get("last_updated")):
        raise Refusal("last-updated", "a PATCH needs last_updated")


def is_older(value: Object, known: Object | None) -> bool:
    """Whether a state is from before the one we know."""
    new, old = (parse_time((one or {}).get("last_updated")) for one in (value, known))
    return bool(old and new and new < old)


def watch_age(office: Office, request: Request, before: Object | None, after: Object) -> None:
    """Complains when an older state arrives after a newer one."""
    if before and is_older(after, before):
        text = f"last_updated goes back from {before['last_updated']} to {after['last_updated']}"
        office.complain("last-updated-backwards", text, path=request.path)


# -- locations ---------------------------------------------------------------------------------------------


def _walk(office: Office, key: str, below: list[str]) -> list[Object]:
    """The Location and, as far as the path goes, its EVSE and Connector."""
    chain = [office.book.locations.get(key)]
    for level, identifier in enumerate(below):
        if chain[-1] is not None:
            chain.append(_child(chain[-1], level, identifier))
    if chain[-1] is None:
        raise Refusal("", f"unknown {LEVELS[len(chain) - 1]}", 404, CLIENT_ERROR)
    return [value for value in chain if value is not None]


def _child(parent: Object, level: int, identifier: str) -> Object | None:
    field = ID_FIELDS[level + 1]
    children = parent.get(CHILDREN[level]) or []
    return next((child for child in children if child[field].upper() == identifier.upper()), None)


def _put(office: Office, request: Request, key: str) -> Answer:
    level = len(request.parts) - 3
    checked(LEVELS[level], request.body)
    _same_id(request, level)
    with office.book.changing() as book:
        if level == 0:
            before = book.locations.get(key)
            watch_age(office, request, before, request.body)
            book.locations[key] = request.body
        else:
            before = _put_child(office, request, key, level)
    _tell(office, request, level)
    return Answer(status=200 if before else 201)


def _put_child(office: Office, request: Request, key: str, level: int) -> Object | None:
    chain = _walk(office, key, request.parts[3:-1])
    before = _child(chain[-1], level - 1, request.parts[-1])
    watch_age(office, request, before, request.body)
    siblings = chain[-1].setdefault(CHILDREN[level - 1], [])
    if before is None:
        siblings.append(request.body)
    else:
        siblings[siblings.index(before)] = request.body
    _bubble(chain, request.body["last_updated"])
    return before


def _patch(office: Office, request: Request, key: str) -> Answer:
    level = len(request.parts) - 3
    needs_last_updated(request.body)
    checked(LEVELS[level], request.body, partial=True)
    _same_id(request, level)
    with office.book.changing():
        chain = _walk(office, key, request.parts[3:])
        watch_age(office, request, chain[-1], request.body)
        chain[-1].update(request.body)
        _bubble(chain[:-1], request.body["last_updated"])
    _tell(office, request, level)
    return Answer()


def _same_id(request: Request, level: int) -> None:
    if level == 0:
        return same_ids(request.body, request.parts, "id")
    name, expected = ID_FIELDS[level], request.parts[-1]
    if name in request.body and str(request.body[name]).upper() != expected.upper():
        raise Refusal("ids", f"{name} is {request.body[name]!r} in the body and {expected!r} in the URL")


def _bubble(parents: list[Object], last_updated: str) -> None:
    """A change of an inner object is a change of the outer ones (OCPI 2.2.1 §8.2.2)."""
    for parent in parents:
        if not is_older({"last_updated": last_updated}, parent):
            parent["last_updated"] = last_updated


def _tell(office: Office, request: Request, level: int) -> None:
    office.log.record(
        LEVELS[level].lower(),
        "in",
        at=request.received_at,
        id="/".join(request.parts[2:]),
        status=request.body.get("status"),
    )
