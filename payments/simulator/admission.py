"""What every OCPI request must bring before anybody looks at its content."""

import hmac
import time

from payments.simulator.exchange import Refusal, Request
from payments.simulator.office import Office
from payments.simulator.wire import CLIENT_ERROR, CONFIGURATION_MODULES, decode_token, loads

REGISTERED_WITHIN = 2.0
ROUTING = ("OCPI-to-country-code", "OCPI-to-party-id", "OCPI-from-country-code", "OCPI-from-party-id")


def admit(office: Office, request: Request) -> None:
    """Checks token, headers and JSON, and fills in the body. Raises Refusal."""
    authenticate(office, request)
    _request_ids(office, request)
    _body(request)
    _routing(office, request)


def authenticate(office: Office, request: Request) -> None:
    """Refuses with 401 whoever does not show a token of ours (OCPI 2.2.1, authorization header)."""
    header = request.header("Authorization")
    if not header:
        raise Refusal("authorization", "the Authorization header is missing", 401, CLIENT_ERROR)
    token = decode_token(header)
    registration = office.book.registration
    known = {registration.server_token, registration.previous_token, registration.offered_token} - {""}
    if token is None or not (_matches(token, known)):
        raw = header.partition(" ")[2]
        plain = _matches(raw, known) or _matches((token or "").strip(), known)
        rule = "token-encoding" if plain else "token-unknown"
        raise Refusal(rule, "the token is not one of ours in Base64", 401, CLIENT_ERROR)
    if token == registration.offered_token and request.module not in CONFIGURATION_MODULES:
        raise Refusal("token-a", "the registration token opens versions and credentials only", 401, CLIENT_ERROR)
    if token == registration.server_token:
        registration.previous_token = ""
        if request.module not in CONFIGURATION_MODULES:
            _await_registration(office)


def _await_registration(office: Office) -> None:
    """The CPO may call the moment it has answered us, before we have read in its answer who it is."""
    deadline = time.monotonic() + REGISTERED_WITHIN
    while not office.book.registration.registered and time.monotonic() < deadline:
        office.closing.wait(0.01)


def _matches(token: str, known: set[str]) -> bool:
    return any(hmac.compare_digest(token.encode(), other.encode()) for other in known)


def _request_ids(office: Office, request: Request) -> None:
    for name in ("X-Request-ID", "X-Correlation-ID"):
        if not request.header(name):
            raise Refusal(name.lower(), f"{name} is missing")
    if office.book.seen_before(request.header("X-Request-ID")):
        raise Refusal("x-request-id", "X-Request-ID was used before")


def _body(request: Request) -> None:
    if request.method not in {"POST", "PUT", "PATCH"}:
        return
    if not request.header("Content-Type").startswith("application/json"):
        raise Refusal("content-type", "Content-Type is not application/json")
    try:
        request.body = loads(request.raw)
    except ValueError as error:
        raise Refusal("json", f"the body is not JSON: {error}", 400) from error
    if not isinstance(request.body, dict):
        raise Refusal("json", "the body is not an object")


def _routing(office: Office, request: Request) -> None:
    given = {name: request.header(name).upper() for name in ROUTING if request.header(name)}
    if not given:
        return
    if request.module in CONFIGURATION_MODULES:
        raise Refusal("routing-headers", f"routing headers do not belong on {request.module}")
    if len(given) < len(ROUTING):
        raise Refusal("routing-headers", "some routing headers are missing")
    settings = office.settings
    if (given[ROUTING[0]], given[ROUTING[1]]) != (settings.country.upper(), settings.party.upper()):
        raise Refusal("routing-headers", "OCPI-to is not us")
    if (given[ROUTING[2]], given[ROUTING[3]]) not in office.book.registration.parties():
        raise Refusal("routing-headers", "OCPI-from is none of your roles")
