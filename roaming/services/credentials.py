"""The credentials handshake, in both directions (2.2.1 credentials, 7.1 and 7.2).

All HTTP and all checks come first, then one atomic write; whatever fails leaves the old state as it was.
No transaction is open while a peer is asked: it calls us back before it answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infrastructure import acts
from infrastructure.secrets import new_secret
from roaming.choices import InterfaceRole, Module
from roaming.models import RoamingPlatform
from roaming.ocpi.errors import (
    InvalidParameters,
    MethodNotAllowed,
    NoMatchingEndpoints,
    OcpiError,
    PeerError,
    PeerForbiddenAddress,
    PeerRefused,
    UnableToUseApi,
)
from roaming.ocpi.objects import validate
from roaming.services.connections import (
    NotReady,
    announce_token,
    check_roles,
    check_token,
    forget,
    note_failure,
    store_registration,
    store_update,
    withdraw_token,
)
from roaming.services.peers import (
    Offer,
    client_for,
    client_with,
    endpoint,
    missing_endpoints,
    own_credentials,
    read_offer,
    stored_token,
)
from roaming.services.tokens import Caller, TokenKind, hash_token

__all__ = [
    "Report",
    "Step",
    "client_for",
    "endpoint",
    "invalidate",
    "own_credentials",
    "receive_delete",
    "receive_post",
    "receive_put",
    "register",
    "update",
]


class Step(NamedTuple):
    text: str
    is_done: bool


@dataclass(slots=True)
class Report:
    """What a handshake that staff started did, step by step; the last step says why it failed."""

    steps: list[Step] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return all(step.is_done for step in self.steps)

    @property
    def error(self) -> str:
        return next((step.text for step in self.steps if not step.is_done), "")

    def done(self, text: str) -> None:
        self.steps.append(Step(text, True))

    def failed(self, text: str) -> None:
        self.steps.append(Step(text, False))


class HandshakeError(Exception):
    """A sentence for staff: why we cannot start or finish a handshake."""


# We are the Sender


def register(platform: RoamingPlatform) -> Report:
    """Registers us at the partner with the token A that it gave us. Never raises for a failing partner."""
    report = Report()
    with _reporting(platform, report):
        _check_ready(platform)
        token_a = stored_token(platform.registration_token_encrypted)
        offer = _read_and_check(platform, token_a, report)
        token = announce_token(platform)
        report.done("Our token for the partner is made and already valid.")
        try:
            credentials = _post(platform, offer, token_a, token)
        except (PeerError, OcpiError):
            withdraw_token(platform, token)
            raise
        report.done("The partner accepted our credentials and sent its own.")
        if not store_registration(platform, offer, credentials, token, next_server_token_hash=hash_token(token)):
            raise HandshakeError("Another registration of this platform ran at the same time and counts.")
        report.done(f"Registered: {_roles_in_words(credentials)}.")
    return report


def update(platform: RoamingPlatform) -> Report:
    """Renews the tokens of both sides, roles and endpoints with PUT. Never raises for a failing partner."""
    report = Report()
    with _reporting(platform, report):
        if not platform.is_registered:
            raise HandshakeError("There is nothing to update: register credentials first.")
        _check_profiles(platform)
        client_token = stored_token(platform.client_token_encrypted)
        offer = _read_and_check(platform, client_token, report)
        token = announce_token(platform)
        report.done("Our new token for the partner is made and already valid.")
        credentials = _put(platform, offer, client_token, token)
        report.done("The partner accepted the update and sent its new credentials.")
        store_update(platform, offer, credentials, token, replaced_hash=platform.server_token_hash)
        report.done(f"Updated: {_roles_in_words(credentials)}.")
    return report


def invalidate(platform: RoamingPlatform) -> Report:
    """Ends the connection: DELETE at the partner as far as it can be reached, then on our side in any case."""
    report = Report()
    url = endpoint(platform, Module.CREDENTIALS, InterfaceRole.SENDER)
    if platform.is_registered and url:
        try:
            with client_for(platform, routing=False) as client:
                client.delete(url)
            report.done("The partner deleted our registration.")
        except PeerError as error:
            report.done(f"The partner could not be told, it may still send requests: {error.detail}")
    forget(platform)
    report.done("All tokens of this connection are invalid now. A new registration needs a new token.")
    return report


@contextmanager
def _reporting(platform: RoamingPlatform, report: Report) -> Iterator[None]:
    """Turns a failure into the last step of the report and into the platform's last error."""
    try:
        yield
    except (PeerError, OcpiError, HandshakeError) as error:
        report.failed(str(error))
        note_failure(platform, str(error))


def _check_ready(platform: RoamingPlatform) -> None:
    if platform.is_registered:
        raise HandshakeError("Already registered. Update the credentials, or invalidate them first.")
    if not platform.url:
        raise HandshakeError("Enter the partner's versions URL first.")
    if not platform.registration_token_encrypted:
        raise HandshakeError("Enter the token that the partner gave you first.")
    _check_profiles(platform)


def _check_profiles(platform: RoamingPlatform) -> None:
    if not platform.profiles.exists():
        raise HandshakeError("Assign at least one roaming profile: it tells the partner who we are.")


def _read_and_check(platform: RoamingPlatform, token: str, report: Report) -> Offer:
    offer = read_offer(platform.url, token, encode_token=platform.encode_token, platform=platform)
    report.done(f"The partner offers OCPI {offer.version} with {len(offer.endpoints)} endpoints.")
    missing = missing_endpoints(platform, offer)
    if missing:
        raise HandshakeError(
            f"The partner does not offer {', '.join(missing)}. Ask it to enable this for us and try again."
        )
    report.done("All endpoints that we need are there.")
    return offer


def _post(platform: RoamingPlatform, offer: Offer, token_a: str, token: str) -> dict[str, Any]:
    with client_with(token_a, encode_token=offer.encode_token, platform=platform) as client:
        try:
            reply = client.post(offer.credentials_url, own_credentials(platform, token))
        except PeerRefused as error:
            if error.http_status != 405:
                raise
            raise PeerError(
                "The partner says that we are registered already (HTTP 405). "
                "Ask it to delete our registration and for a new token."
            ) from error
    return _checked(reply.data)


def _put(platform: RoamingPlatform, offer: Offer, client_token: str, token: str) -> dict[str, Any]:
    """Where the partner gave no OCPI answer it may have taken the update and know only the new token by now:
    then that one stays valid beside the old one."""
    try:
        with client_with(client_token, encode_token=offer.encode_token, platform=platform) as client:
            return _checked(client.put(offer.credentials_url, own_credentials(platform, token)).data)
    except PeerRefused as error:
        if error.status_code is not None:
            withdraw_token(platform, token)
        raise


# We are the Receiver


def receive_post(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Registers the peer (2.2.1 credentials, 7.2.2). Raises the OcpiError to answer with; nothing is stored then."""
    platform = caller.platform
    if caller.kind != TokenKind.REGISTRATION or platform.is_registered:
        raise MethodNotAllowed("Already registered: use PUT to update or DELETE first.")
    offer = _read_sender(platform, body)
    token = new_secret()
    if not store_registration(platform, offer, body, token, registration_token_hash=hash_token(caller.token)):
        raise MethodNotAllowed("Already registered by another request with this token.")
    _note(platform, "POST", _roles_in_words(body))
    return own_credentials(platform, token)


def receive_put(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Updates a registered peer and gives it a new token; the one it used stays valid for a while."""
    platform = _registered(caller)
    offer = _read_sender(platform, body)
    token = new_secret()
    store_update(platform, offer, body, token, replaced_hash=hash_token(caller.token))
    _note(platform, "PUT", _roles_in_words(body))
    return own_credentials(platform, token)


def receive_delete(caller: Caller) -> None:
    """Ends the connection at the peer's wish."""
    platform = _registered(caller)
    forget(platform)
    _note(platform, "DELETE", "All tokens of this connection are invalid now.")


def _note(platform: RoamingPlatform, method: str, outcome: str) -> None:
    acts.note(platform, f"Partner {platform}", f"{method} credentials", outcome)


def _registered(caller: Caller) -> RoamingPlatform:
    if caller.kind == TokenKind.REGISTRATION or not caller.platform.is_registered:
        raise MethodNotAllowed("Not registered: use POST first.")
    return caller.platform


def _read_sender(platform: RoamingPlatform, body: dict[str, Any]) -> Offer:
    """Checks the peer's credentials and asks it, with its token, what it offers."""
    try:
        validate("Credentials", body)
        check_token(body)
        check_roles(body)
        if not platform.profiles.exists():
            raise NotReady("This connection is not ready yet: no party of ours is assigned to it.")
        try:
            offer = read_offer(body["url"], body["token"], encode_token=platform.encode_token, platform=platform)
        except PeerError as error:
            why = error.rule if isinstance(error, PeerForbiddenAddress) else error.detail
            raise UnableToUseApi(f"Your versions or details could not be read. {why}") from error
        missing = missing_endpoints(platform, offer)
        if missing:
            raise NoMatchingEndpoints(f"Required endpoints are missing: {', '.join(missing)}.")
    except OcpiError as error:
        note_failure(platform, f"The partner's credentials were refused: {error.message}")
        raise
    return offer


# Both


def _checked(data: object) -> dict[str, Any]:
    credentials = data if isinstance(data, dict) else {}
    try:
        validate("Credentials", credentials)
        check_token(credentials)
        check_roles(credentials)
    except InvalidParameters as error:
        raise PeerError(f"The partner answered with credentials that are not valid. {error.message}") from None
    return credentials


def _roles_in_words(credentials: dict[str, Any]) -> str:
    return ", ".join(
        f"{role['business_details']['name']} ({role['role']} {role['country_code']}-{role['party_id']})"
        for role in credentials["roles"]
    )
