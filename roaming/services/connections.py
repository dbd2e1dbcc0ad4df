"""Writing a connection down: tokens, roles and endpoints of a platform change together or not at all."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from infrastructure import outbox
from infrastructure.secrets import encrypt, new_secret
from infrastructure.wakeups import wake_task
from roaming.choices import InterfaceRole, PlatformState
from roaming.models import PlatformEndpoint, PlatformRole, RoamingPlatform
from roaming.ocpi.errors import InvalidParameters, OcpiError
from roaming.services.peers import Offer, why_not_callable
from roaming.services.tokens import ANNOUNCED, GRACE, hash_token

ROLE_LENGTH = 10
IDENTIFIER_LENGTH = 40


class NotReady(OcpiError):
    """Our side cannot do it now: a server error of OCPI that is no crash."""

    status_code = 3000
    http_status = 200


def check_token(credentials: dict[str, Any]) -> None:
    """InvalidParameters for a token that no Authorization header may carry (2.2.1 transport_and_format, 4.1.2)."""
    token: str = credentials["token"]
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidParameters("token: must be printable ASCII without blanks, and not empty")


def check_roles(credentials: dict[str, Any]) -> None:
    """InvalidParameters when a role names no party, or two are the same (2.2.1 credentials, 7.3.1)."""
    for index, role in enumerate(credentials["roles"]):
        for name in ("country_code", "party_id"):
            if not role[name].strip():
                raise InvalidParameters(f"roles[{index}].{name}: must not be empty")
    keys = {
        (role["role"][:ROLE_LENGTH].upper(), role["country_code"].upper(), role["party_id"].upper())
        for role in credentials["roles"]
    }
    if len(keys) != len(credentials["roles"]):
        raise InvalidParameters("roles: role, country_code and party_id together must be unique")


def party_mismatch(platform: RoamingPlatform, credentials: dict[str, Any]) -> str:
    """A sentence for staff when the partner is not who we expected; "" when it is, or nothing was expected."""
    wanted = (platform.expected_country_code, platform.expected_party_id)
    parties = [(role["country_code"].upper(), role["party_id"].upper()) for role in credentials["roles"]]
    if not any(wanted) or any(all(w in ("", p) for w, p in zip(wanted, party, strict=True)) for party in parties):
        return ""
    found = ", ".join("-".join(party) for party in parties)
    expected = "-".join(part or "any" for part in wanted)
    return f"Registered as {found}, but {expected} was expected. Ask the partner which is right."[:255]


def announce_token(platform: RoamingPlatform) -> str:
    """A fresh token, valid at once: the peer calls us back with it before it answers our request."""
    token = new_secret()
    RoamingPlatform.objects.filter(pk=platform.pk).update(
        next_server_token_hash=hash_token(token), next_server_token_until=timezone.now() + ANNOUNCED
    )
    return token


def withdraw_token(platform: RoamingPlatform, token: str) -> None:
    announced = RoamingPlatform.objects.filter(pk=platform.pk, next_server_token_hash=hash_token(token))
    announced.update(next_server_token_hash="", next_server_token_until=None)


def store_registration(
    platform: RoamingPlatform,
    offer: Offer,
    credentials: dict[str, Any],
    token: str,
    **condition: str,
) -> bool:
    """False, and nothing is written, when `condition` on the platform no longer holds or it is registered:
    of several handshakes at once, with one token A, only one can win."""
    waiting = RoamingPlatform.objects.filter(pk=platform.pk, **condition)
    with transaction.atomic():
        if not waiting.exclude(state=PlatformState.REGISTERED).update(
            **_connection(platform, offer, credentials, token), **_first_connection()
        ):
            return False
        _write_peer(platform, offer, credentials)
    return True


def store_update(
    platform: RoamingPlatform,
    offer: Offer,
    credentials: dict[str, Any],
    token: str,
    *,
    replaced_hash: str,
) -> None:
    """The condition on the token read before the HTTP makes the first of two updates at once the one that counts."""
    unchanged = RoamingPlatform.objects.filter(
        pk=platform.pk, state=PlatformState.REGISTERED, server_token_hash=platform.server_token_hash
    )
    with transaction.atomic():
        if not unchanged.update(
            **_connection(platform, offer, credentials, token),
            previous_server_token_hash=replaced_hash,
            previous_server_token_until=timezone.now() + GRACE,
        ):
            raise NotReady("The credentials changed during this update. Try again.")
        _write_peer(platform, offer, credentials)


def _connection(
    platform: RoamingPlatform, offer: Offer, credentials: dict[str, Any], server_token: str
) -> dict[str, Any]:
    return {
        "party_warning": party_mismatch(platform, credentials),
        "ocpi_version": offer.version,
        "encode_token": offer.encode_token,
        # Where the partner answers with an address that cannot be called, the one that was just read stays.
        "url": platform.url if why_not_callable(credentials["url"]) else credentials["url"],
        "client_token_encrypted": encrypt(credentials["token"]),
        "server_token_hash": hash_token(server_token),
        "next_server_token_hash": "",
        "next_server_token_until": None,
        "last_error": "",
        "last_error_at": None,
    }


def _first_connection() -> dict[str, Any]:
    """Token A, whoever gave it, has done its work."""
    return {
        "state": PlatformState.REGISTERED,
        "registered_at": timezone.now(),
        "registration_token_hash": "",
        "registration_token_encrypted": "",
        "previous_server_token_hash": "",
        "previous_server_token_until": None,
    }


def _write_peer(platform: RoamingPlatform, offer: Offer, credentials: dict[str, Any]) -> None:
    """Replaces roles and endpoints, and starts what follows a registration. Inside the handshake's transaction."""
    platform.endpoints.all().delete()
    PlatformEndpoint.objects.bulk_create(
        PlatformEndpoint(platform=platform, identifier=module, role=role, url=url)
        for (module, role), url in offer.endpoints.items()
        # Modules of later versions or of the peer's own that we could not call anyway.
        if role in set(InterfaceRole) and len(module) <= IDENTIFIER_LENGTH
    )
    platform.roles.all().delete()
    PlatformRole.objects.bulk_create(
        PlatformRole(
            platform=platform,
            role=role["role"][:ROLE_LENGTH],
            country_code=role["country_code"],
            party_id=role["party_id"],
            business_name=role["business_details"]["name"],
        )
        for role in credentials["roles"]
    )
    outbox.record("platform", platform.pk)
    wake_task("roaming.tasks.start_pulls", platform.pk)
    platform.refresh_from_db()


def forget(platform: RoamingPlatform) -> None:
    with transaction.atomic():
        RoamingPlatform.objects.filter(pk=platform.pk).update(
            state=PlatformState.INVALIDATED,
            client_token_encrypted="",
            registration_token_encrypted="",
            registration_token_hash="",
            server_token_hash="",
            next_server_token_hash="",
            next_server_token_until=None,
            previous_server_token_hash="",
            previous_server_token_until=None,
            last_error="",
            last_error_at=None,
        )
        platform.endpoints.all().delete()
        platform.roles.all().delete()
        outbox.record("prices", platform.pk)
    platform.refresh_from_db()


def note_failure(platform: RoamingPlatform, sentence: str) -> None:
    RoamingPlatform.objects.filter(pk=platform.pk).update(last_error=sentence, last_error_at=timezone.now())
    platform.refresh_from_db()
