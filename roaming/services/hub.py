"""Parties behind a hub, and whether they can be reached (OCPI 2.2.1 mod_hub_client_info, the CPO as receiver)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from roaming.choices import ConnectionStatus, InterfaceRole, Module, PlatformType
from roaming.models import ClientInfo, Document, RoamingPlatform
from roaming.ocpi.errors import InvalidParameters, NotFound
from roaming.ocpi.types import ci_equal
from roaming.services import push
from roaming.services.moments import told_at
from roaming.services.peers import endpoint
from roaming.services.registry import PullSource

Json = dict[str, Any]

ROLE_LENGTH = 10


def find_client(platform: RoamingPlatform, country_code: str, party_id: str) -> ClientInfo:
    """Raises NotFound."""
    client = _stored(platform, country_code, party_id).first()
    if client is None:
        raise NotFound("There is no such party behind this hub.")
    return client


def receive_client(platform: RoamingPlatform, country_code: str, party_id: str, body: Json) -> bool:
    """Stores a PUT, a valid ClientInfo; True when the party is new. An older one changes nothing.

    Raises InvalidParameters when body and address differ, and for what is not the hub's to say.
    """
    for name, value in (("country_code", country_code), ("party_id", party_id)):
        if not ci_equal(body[name], value):
            raise InvalidParameters(f"{name}: differs from the address")
    if _is_ours(platform, body):
        return False
    with transaction.atomic():
        # Messages of one hub take turns: of two at once the newer one must remain.
        RoamingPlatform.objects.select_for_update(no_key=True).get(pk=platform.pk)
        client = _stored(platform, country_code, party_id).first()
        if client is None:
            client = ClientInfo(platform=platform, country_code=body["country_code"], party_id=body["party_id"])
        elif told_at(body) < client.last_updated:
            return False
        created, before = client.pk is None, client.status
        _write(client, body)
        if before and before != client.status == ConnectionStatus.CONNECTED:
            _catch_up(client)
    return created


def _is_ours(platform: RoamingPlatform, body: Json) -> bool:
    """Of us as CPO nothing is kept: we are connected, and whatever else a hub says staff must read.

    In another role a party of the same name is the hub's to speak for: many operators have drivers of their own.
    Raises InvalidParameters unless it says that we are connected, too.
    """
    country, party = body["country_code"], body["party_id"]
    ours = platform.profiles.filter(country_code__iexact=country, party_id__iexact=party)
    if body["role"].upper() != "CPO" or not ours.exists():
        return False
    if body["status"] != ConnectionStatus.CONNECTED:
        raise InvalidParameters(f"{country}-{party} is our own party, and connected, but the hub says {body['status']}")
    return True


def _stored(platform: RoamingPlatform, country_code: str, party_id: str) -> QuerySet[ClientInfo]:
    return ClientInfo.objects.filter(platform=platform, country_code__iexact=country_code, party_id__iexact=party_id)


def _write(client: ClientInfo, body: Json) -> None:
    client.role, client.status, client.body = body["role"][:ROLE_LENGTH], body["status"], body
    client.last_updated, client.received_at = told_at(body), timezone.now()
    client.save()


def is_reachable(platform: RoamingPlatform, country_code: str, party_id: str) -> bool:
    """False for a party of which a hub says that it is not connected: nothing is sent to it or queued (15.1.1)."""
    if platform.type != PlatformType.HUB:
        return True
    away = _stored(platform, country_code, party_id).exclude(status=ConnectionStatus.CONNECTED)
    return not away.exists()


def addressee(platform: RoamingPlatform, country_code: str, party_id: str) -> tuple[str, str] | None:
    """Whom a message about this party's driver, or to who asked, is addressed to: any party behind a hub, else one of
    the platform's own; None for its first (2.2.1 transport_and_format, 4.2)."""
    if not country_code or not party_id:
        return None
    own = platform.roles.filter(country_code__iexact=country_code, party_id__iexact=party_id)
    return (country_code, party_id) if platform.type == PlatformType.HUB or own.exists() else None


def owner_of(platform: RoamingPlatform, document: Document) -> tuple[str, str] | None:
    """The addressee of a Session or CDR: the party whose token it was charged with; None for other documents."""
    token = document.body.get("cdr_token")
    return addressee(platform, token["country_code"], token["party_id"]) if token else None


def may_send(platform: RoamingPlatform, document: Document) -> bool:
    """Whether a Session or CDR may go to the party whose token it was charged with."""
    token = document.body.get("cdr_token")
    return token is None or is_reachable(platform, token["country_code"], token["party_id"])


def may_queue(platform: RoamingPlatform, document: Document) -> bool:
    """As `may_send`, for a document that was just written; needs its transaction.

    A party that comes back at this moment either is seen to be back, or waits until it can see the document.
    """
    if may_send(platform, document):
        return True
    token = document.body["cdr_token"]
    away = _stored(platform, token["country_code"], token["party_id"])
    # Without an order, which is by the platform: its row is held by who takes the party's news, waiting for ours.
    list(away.select_for_update(no_key=True).order_by().values_list("pk"))
    return may_send(platform, document)


def _catch_up(client: ClientInfo) -> None:
    """The party is back: the newest state of its sessions and the CDRs that it missed are sent."""
    documents = Document.objects.filter(
        platform=client.platform,
        module__in=[Module.SESSIONS, Module.CDRS],
        body__cdr_token__country_code__iexact=client.country_code,
        body__cdr_token__party_id__iexact=client.party_id,
        is_deleted=False,
    ).exclude(acknowledged=F("body"))
    sessions = []
    for document in documents.order_by("pk"):
        session_id = document.body.get("session_id") or document.object_id
        sequence = f"session {session_id}"
        if document.module == Module.CDRS:
            position = document.source_id
            push.enqueue(client.platform, document.module, document.path, sequence=sequence, position=position)
        else:
            sessions.append(push.NewState(document.path, sequence))
    push.enqueue_states(client.platform, Module.SESSIONS, sessions)


# Pulling: `roaming.services.pulls` fetches the pages, passes over bad items and reports them.


def _receive_listed(platform: RoamingPlatform, body: Json, _asked_at: datetime) -> None:
    receive_client(platform, body["country_code"], body["party_id"], body)


def _clients_url(platform: RoamingPlatform) -> str | None:
    return endpoint(platform, Module.HUBCLIENTINFO, InterfaceRole.SENDER)


CLIENTS = PullSource(
    Module.HUBCLIENTINFO, "ClientInfo", frozenset({PlatformType.HUB}), _clients_url, _receive_listed, has_routing=False
)
