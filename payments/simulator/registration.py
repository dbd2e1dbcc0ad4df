"""Versions and credentials, as receiver and as sender of a registration (OCPI 2.2.1 §6 and §7)."""

from typing import Any

from payments.simulator.book import Object, Registration, new_token
from payments.simulator.client import Reply, Unreachable
from payments.simulator.driver import DriverError, pull, push_terminals
from payments.simulator.exchange import Answer, Refusal, Request
from payments.simulator.office import Office
from payments.simulator.receivers import checked, not_allowed
from payments.simulator.schema import problems
from payments.simulator.wire import (
    CLIENT_API_UNUSABLE,
    CLIENT_ERROR,
    MISSING_ENDPOINTS,
    NO_MATCHING_VERSION,
    VERSION,
    now,
)

OFFERED = (
    ("credentials", "SENDER"),
    ("locations", "RECEIVER"),
    ("tariffs", "RECEIVER"),
    ("sessions", "RECEIVER"),
    ("cdrs", "RECEIVER"),
    ("commands", "SENDER"),
    ("payments", "SENDER"),
)
NEEDED = ("credentials", "locations:SENDER", "tariffs:SENDER", "commands:RECEIVER", "payments:RECEIVER")


class RegistrationFailed(Exception):
    """`code` is the OCPI code to answer with when the CPO waits for an answer."""

    def __init__(self, message: str, code: int = CLIENT_API_UNUSABLE, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code, self.retry = code, retry


# -- what we serve -----------------------------------------------------------------------------------------


def versions(office: Office, request: Request) -> Answer:
    """The list of versions, or the endpoints of ours."""
    if request.method != "GET":
        raise not_allowed(request)
    if not request.parts:
        return Answer([{"version": VERSION, "url": f"{office.base_url}/ocpi/{VERSION}"}])
    endpoints = [{"identifier": module, "role": role, "url": office.module_url(module)} for module, role in OFFERED]
    return Answer({"version": VERSION, "endpoints": endpoints})


def credentials(office: Office, request: Request) -> Answer:
    """GET, POST, PUT and DELETE of the credentials."""
    registration = office.book.registration
    if request.method == "GET":
        return Answer(_ours(office, registration.server_token or registration.offered_token))
    if request.method == "POST" and registration.registered:
        raise Refusal("registered", "POST though registered; use PUT", 405, CLIENT_ERROR)
    if request.method in {"PUT", "DELETE"} and not registration.registered:
        raise Refusal("registered", f"{request.method} though not registered", 405, CLIENT_ERROR)
    if request.method == "DELETE":
        return _unregister(office, request)
    if request.method not in {"POST", "PUT"}:
        raise not_allowed(request)
    return _accept(office, request)


def _ours(office: Office, token: str) -> Object:
    settings = office.settings
    role = {
        "role": settings.role,
        "country_code": settings.country,
        "party_id": settings.party,
        "business_details": {"name": settings.name},
    }
    return {"token": token, "url": office.versions_url, "roles": [role]}


def _accept(office: Office, request: Request) -> Answer:
    """Calls the CPO back with its token, then stores it and answers with a new one of ours."""
    checked("Credentials", request.body)
    try:
        endpoints = discover(office, request.body["url"], request.body["token"])
    except RegistrationFailed as error:
        raise Refusal("registration", str(error), code=error.code) from error
    token, old = new_token(), office.book.registration
    previous = old.server_token if request.method == "PUT" else ""
    _store(office, request.body, endpoints, server_token=token, previous_token=previous)
    return Answer(_ours(office, token))


def _unregister(office: Office, request: Request) -> Answer:
    with office.book.changing() as book:
        book.registration = Registration()
    office.log.record("unregistered", "in", at=request.received_at)
    return Answer()


def _store(
    office: Office, theirs: Object, endpoints: dict[str, str], server_token: str, previous_token: str = ""
) -> None:
    with office.book.changing() as book:
        book.registration = Registration(
            server_token=server_token,
            previous_token=previous_token,
            client_token=theirs["token"],
            versions_url=theirs["url"],
            endpoints=endpoints,
            roles=theirs["roles"],
            registered_at=now(),
        )
    parties = " ".join(f"{role['country_code']}/{role['party_id']}" for role in theirs["roles"])
    office.log.record("registered", parties=parties, url=theirs["url"])
    if office.settings.sync:
        # Not before our answer has left, since the CPO knows our token only then.
        office.later("sync", lambda: _sync(office), delay=0.5)


def _sync(office: Office) -> None:
    try:
        push_terminals(office)
        pull(office)
    except (DriverError, Unreachable) as error:
        office.log.record("sync_failed", reason=str(error))


# -- what we ask -------------------------------------------------------------------------------------------


def discover(office: Office, versions_url: str, token: str) -> dict[str, str]:
    """The CPO's endpoints of our version, as "module:ROLE" to URL. Raises RegistrationFailed."""
    offered = _fetch(office, versions_url, token)
    if not isinstance(offered, list) or any(problems("Version", entry) for entry in offered):
        raise RegistrationFailed("the versions are no list of Version objects")
    urls = [entry["url"] for entry in offered if entry["version"] == VERSION]
    if not urls:
        raise RegistrationFailed(f"version {VERSION} is not offered", NO_MATCHING_VERSION)
    details = _fetch(office, urls[0], token)
    listed = details.get("endpoints") if isinstance(details, dict) else None
    if not isinstance(listed, list) or any(problems("Endpoint", entry) for entry in listed):
        raise RegistrationFailed("the version details are malformed")
    endpoints = {_endpoint_key(entry): entry["url"] for entry in listed}
    if missing := [name for name in NEEDED if name not in endpoints]:
        raise RegistrationFailed(f"endpoints are missing: {', '.join(missing)}", MISSING_ENDPOINTS)
    return endpoints


def _endpoint_key(entry: Object) -> str:
    # Credentials have no direction; which role a party lists them with says nothing.
    module = str(entry["identifier"])
    return module if module == "credentials" else f"{module}:{entry['role']}"


def _fetch(office: Office, url: str, token: str) -> Any:
    try:
        reply = office.client.call("GET", url, "versions", token=token)
    except Unreachable as error:
        raise RegistrationFailed(str(error), retry=True) from error
    if not reply.ok:
        raise RegistrationFailed(f"GET {url}: {reply.reason}", retry=reply.status >= 500)
    return reply.data


def register(office: Office, versions_url: str = "", token_a: str = "") -> None:
    """Registers with the CPO, or renews both tokens when we are registered. Raises RegistrationFailed."""
    registration = office.book.registration
    renew = registration.registered
    url = versions_url or registration.versions_url or office.settings.plugtill_versions
    token = registration.client_token if renew else token_a or office.settings.token
    if not url or not token:
        raise RegistrationFailed("the CPO's versions URL or the registration token is not known")
    endpoints = discover(office, url, token)
    before, ours = registration, new_token()
    # The CPO calls back while our request is open, so the token must work before it leaves.
    with office.book.changing() as book:
        book.registration = Registration(
            **(vars(before) | {"server_token": ours, "previous_token": before.server_token})
        )
    try:
        theirs = _exchange(office, "PUT" if renew else "POST", endpoints["credentials"], token, ours)
    except RegistrationFailed:
        with office.book.changing() as book:
            book.registration = before
        raise
    # What the CPO had under way may still come with the old token.
    _store(office, theirs, endpoints, server_token=ours, previous_token=before.server_token)


def _exchange(office: Office, method: str, url: str, token: str, ours: str) -> Object:
    """Sends our credentials and returns the CPO's."""
    try:
        reply = office.client.call(method, url, "credentials", _ours(office, ours), token=token)
    except Unreachable as error:
        raise RegistrationFailed(str(error), retry=True) from error
    if not reply.ok:
        _complain_about(office, method, reply)
        raise RegistrationFailed(f"{method} {url}: {reply.reason}", retry=reply.status >= 500)
    if found := problems("Credentials", reply.data):
        office.complain("schema", "; ".join(found), call=f"{method} credentials")
        raise RegistrationFailed("the CPO's credentials are malformed")
    credentials: Object = reply.data
    return credentials


def _complain_about(office: Office, method: str, reply: Reply) -> None:
    if reply.status < 300 or reply.status >= 500:
        office.complain("registration", f"{method} credentials: {reply.reason}")


def unregister(office: Office) -> None:
    """Ends the connection from our side."""
    registration = office.book.registration
    reply = office.client.call("DELETE", registration.endpoints["credentials"], "credentials")
    if not reply.ok:
        raise RegistrationFailed(f"DELETE credentials: {reply.reason}")
    with office.book.changing() as book:
        book.registration = Registration()
    office.log.record("unregistered", "out")
