"""A platform as a peer: how to call it, what it offers, and what it is told about us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection

from infrastructure.secrets import decrypt
from roaming.choices import InterfaceRole, Module, PlatformType
from roaming.models import PlatformEndpoint, PlatformRole, RoamingPlatform, RoamingProfile
from roaming.ocpi.client import DEFAULT_TIMEOUT, OcpiClient
from roaming.ocpi.errors import InvalidParameters, PeerError, PeerForbiddenAddress, PeerRefused
from roaming.ocpi.exchange import Subject
from roaming.ocpi.guard import check_form
from roaming.ocpi.headers import Routing
from roaming.ocpi.transport import MAX_SECONDS, Timeout
from roaming.ocpi.versions import Endpoints, fetch_endpoints
from roaming.services import messages

OCPI_VERSION = "2.2.1"
# For versions and for their details each: a partner that registers waits for our answer meanwhile.
READ_SECONDS = 10.0
_ENDPOINTS_OF_ALL = ((Module.CREDENTIALS, InterfaceRole.SENDER),)
# A PTP without payments cannot tell us of its terminals; whatever else is missing there it can pull from us.
REQUIRED_ENDPOINTS: Mapping[str, tuple[tuple[Module, InterfaceRole], ...]] = {
    PlatformType.PTP: (*_ENDPOINTS_OF_ALL, (Module.PAYMENTS, InterfaceRole.SENDER)),
    PlatformType.EMSP: _ENDPOINTS_OF_ALL,
    PlatformType.HUB: _ENDPOINTS_OF_ALL,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer's versions and version details say, and the token encoding that it understood."""

    version: str
    endpoints: Endpoints
    encode_token: bool

    @property
    def credentials_url(self) -> str:
        return self.endpoints[Module.CREDENTIALS, InterfaceRole.SENDER]


def client_for(
    platform: RoamingPlatform,
    *,
    own_country: str = "",
    own_party: str = "",
    routing: bool = True,
    addressee: tuple[str, str] | None = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    max_seconds: float = MAX_SECONDS,
    subject: Subject | None = None,
) -> OcpiClient:
    """A client that calls the platform as one of our parties (default: its first profile).

    `addressee` is country code and party id (default: the platform's first role; empty: a hub finds out).

    PeerError when the platform is not registered. `routing` False for configuration modules. `subject` tells
    the message log what the requests are about where their addresses do not.
    """
    if not platform.client_token_encrypted:
        raise PeerError(f"{platform} is not registered: we have no token for it.", permanent=True)
    return client_with(
        stored_token(platform.client_token_encrypted),
        encode_token=platform.encode_token,
        routing=_routing(platform, own_country, own_party, addressee) if routing else None,
        timeout=timeout,
        max_seconds=max_seconds,
        platform=platform,
        subject=subject,
    )


def release_connection() -> None:
    """Our place in the connection pool is for others while a partner thinks."""
    if not connection.in_atomic_block:
        connection.close()


def client_with(
    token: str,
    *,
    encode_token: bool,
    routing: Routing | None = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    max_seconds: float = MAX_SECONDS,
    platform: RoamingPlatform | None = None,
    subject: Subject | None = None,
) -> OcpiClient:
    """`platform` and `subject` are for the message log."""
    return OcpiClient(
        token,
        encode_token=encode_token,
        routing=routing,
        allow_private=settings.PEERS_ALLOW_PRIVATE_ADDRESSES,
        require_https=settings.PEERS_REQUIRE_HTTPS,
        timeout=timeout,
        max_seconds=max_seconds,
        observe=messages.observer(platform, subject),
    )


def why_not_callable(url: str) -> str:
    """The rule of this installation that an address breaks whatever the DNS says of its host; "" for none."""
    try:
        check_form(
            url, allow_private=settings.PEERS_ALLOW_PRIVATE_ADDRESSES, require_https=settings.PEERS_REQUIRE_HTTPS
        )
    except PeerForbiddenAddress as error:
        return error.rule
    return ""


def check_response_url(url: str) -> None:
    """InvalidParameters where no result could ever be sent to."""
    if rule := why_not_callable(url):
        raise InvalidParameters(f"response_url: {rule}")


def stored_token(encrypted: str) -> str:
    """PeerError when none of our encryption keys made it."""
    try:
        return decrypt(encrypted)
    except InvalidToken:
        raise PeerError(
            "The stored token cannot be read with the present FIELD_ENCRYPTION_KEYS. Restore the old key.",
            permanent=True,
        ) from None


def _routing(platform: RoamingPlatform, own_country: str, own_party: str, addressee: tuple[str, str] | None) -> Routing:
    profile = None if own_country and own_party else platform.profiles.order_by("pk").first()
    if addressee is None:
        role = PlatformRole.objects.filter(platform=platform).order_by("pk").first()
        addressee = (role.country_code, role.party_id) if role else ("", "")
    return Routing(
        from_country=own_country or (profile.country_code if profile else ""),
        from_party=own_party or (profile.party_id if profile else ""),
        to_country=addressee[0],
        to_party=addressee[1],
    )


def endpoint(platform: RoamingPlatform, module: str, role: str) -> str | None:
    """The platform's address for a module and interface role, or None where it offers none."""
    addresses = PlatformEndpoint.objects.filter(platform=platform, identifier=module, role=role)
    return addresses.order_by("pk").values_list("url", flat=True).first()


def read_offer(versions_url: str, token: str, *, encode_token: bool, platform: RoamingPlatform | None = None) -> Offer:
    """Asks a peer for its versions and details. Raises PeerError and UnsupportedVersion.

    Peers that grew up with 2.1.1 expect the token as it is: on 401 the other encoding is tried.
    """
    try:
        return _read_offer(versions_url, token, encode_token, platform)
    except PeerRefused as error:
        if error.http_status != 401:
            raise
        try:
            return _read_offer(versions_url, token, not encode_token, platform)
        except PeerError:
            raise error from None


def _read_offer(versions_url: str, token: str, encode_token: bool, platform: RoamingPlatform | None) -> Offer:
    with client_with(token, encode_token=encode_token, platform=platform, max_seconds=READ_SECONDS) as client:
        version, endpoints = fetch_endpoints(client, versions_url, (OCPI_VERSION,))
    return Offer(version, endpoints, encode_token)


def missing_endpoints(platform: RoamingPlatform, offer: Offer) -> list[str]:
    """What this kind of partner must offer and does not, as "payments (SENDER)"."""
    return [
        module if module == Module.CREDENTIALS else f"{module} ({role})"
        for module, role in REQUIRED_ENDPOINTS[platform.type]
        if (module, role) not in offer.endpoints
    ]


def own_credentials(platform: RoamingPlatform, token: str) -> dict[str, Any]:
    """Our Credentials object for this platform: `token` is what it sends us (2.2.1 credentials, 7.3.1)."""
    profiles = platform.profiles.order_by("pk").prefetch_related("operators")
    return {
        "token": token,
        "url": f"{settings.PUBLIC_URL}/ocpi/versions",
        "roles": [_own_role(profile) for profile in profiles],
    }


def _own_role(profile: RoamingProfile) -> dict[str, Any]:
    operators = list(profile.operators.all())
    details = {"name": profile.name}
    if len(operators) == 1:
        details["name"] = operators[0].name
        if operators[0].website:
            details["website"] = operators[0].website
    return {
        "role": "CPO",
        "business_details": details,
        "party_id": profile.party_id,
        "country_code": profile.country_code,
    }
