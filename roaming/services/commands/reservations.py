"""RESERVE_NOW and CANCEL_RESERVATION (OCPI 2.2.1 mod_commands, 13.3.1 and 13.3.4)."""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chargers.models import ChargerConnection, Reservation
from chargers.services.reservations import OPEN
from chargers.services.reserving import Outlet, ReserveRequest, request_cancellation, request_reservation
from infrastructure.choices import Capability, EVSEStatus
from infrastructure.models import Connector
from roaming.choices import CommandResponseType, CommandResultType, CommandType, PlatformType
from roaming.models import RoamingPlatform
from roaming.ocpi.types import parse_datetime
from roaming.services import rendering, retail, starts
from roaming.services.commands.answers import (
    NOBODY,
    CommandAnswer,
    Party,
    accepted,
    call_deadline,
    not_supported,
    queue_result,
    record,
    record_forwarded,
    rejected,
)
from roaming.services.commands.places import find_connectors, profile_at

Json = dict[str, Any]


def receive_reserve_now(platform: RoamingPlatform, body: Json, *, sender: Party = NOBODY) -> CommandAnswer:
    """Forwards a RESERVE_NOW; NOT_SUPPORTED without RESERVABLE. Raises UnknownLocation.

    The same reservation id at the same location replaces the reservation.
    """
    # It has no connector_id (2.2.1 mod_commands, 13.3.2); one that is there all the same was not checked.
    place = {name: body.get(name) for name in ("location_id", "evse_uid")}
    connectors = find_connectors(platform, place)
    if not any(_is_reservable(connector) for connector in connectors):
        return not_supported("This place cannot be reserved.")
    if parse_datetime(body["expiry_date"]) <= timezone.now():
        return rejected("expiry_date is over.")
    outlets = _outlets(platform, body, connectors)
    if not outlets:
        return rejected("No tariff applies at this place.")
    try:
        with transaction.atomic():
            command = record(platform, CommandType.RESERVE_NOW, body, CommandResponseType.ACCEPTED, sender=sender)
            record_forwarded(command, request_reservation(_request(platform, body, outlets)))
    except IntegrityError:
        return rejected("This authorization_reference or reservation_id is in use.")
    return accepted()


def _is_reservable(connector: Connector) -> bool:
    return Capability.RESERVABLE in connector.evse.capabilities


def _outlets(platform: RoamingPlatform, body: Json, connectors: list[Connector]) -> list[Outlet]:
    """One per EVSE of the charger to be asked, the reservable ones first; without those that have no tariff."""
    charger_id = _charger(platform, body, connectors)
    here = [connector for connector in connectors if connector.evse.charger_id == charger_id]
    by_evse: dict[int, Connector] = {}
    for connector in sorted(here, key=_is_reservable, reverse=True):
        by_evse.setdefault(connector.evse_id, connector)
    outlets = [_outlet(platform, connector) for connector in by_evse.values()]
    needs_tariff = platform.type == PlatformType.PTP
    return [outlet for outlet in outlets if outlet.tariff_version is not None or not needs_tariff]


def _outlet(platform: RoamingPlatform, connector: Connector) -> Outlet:
    version = starts.tariff_version(platform, connector)
    place, terms = rendering.cdr_location(connector), retail.frozen_terms(platform)
    return Outlet(connector, version, starts.limit(platform, version), place, terms)


def _charger(platform: RoamingPlatform, body: Json, connectors: Iterable[Connector]) -> int:
    """Where the EVSE is left to us: the charger that holds the reservation already, else one that has room."""
    reservable = [connector for connector in connectors if _is_reservable(connector)]
    ids = {connector.evse.charger_id for connector in reservable}
    same = Reservation.objects.filter(
        peer_id=platform.peer_id, reservation_id__iexact=body["reservation_id"], charger__in=ids, state__in=OPEN
    )
    held_at = same.values_list("charger_id", flat=True).first()
    if held_at is not None:
        return held_at
    online = set(ChargerConnection.objects.filter(charger__in=ids).exclude(channel_name="").values_list("charger"))
    free = (
        connector.evse.charger_id
        for connector in reservable
        if (connector.evse.charger_id,) in online and connector.evse.status == EVSEStatus.AVAILABLE
    )
    return next(free, reservable[0].evse.charger_id)


def _request(platform: RoamingPlatform, body: Json, outlets: list[Outlet]) -> ReserveRequest:
    evse = outlets[0].connector.evse
    profile = profile_at(platform, outlets[0].connector)
    return ReserveRequest(
        charger=evse.charger,
        outlets=outlets,
        evse_number=evse.number if body.get("evse_uid") else 0,
        peer_id=platform.peer_id,
        country_code=profile.country_code,
        party_id=profile.party_id,
        reservation_id=body["reservation_id"],
        authorization_reference=body.get("authorization_reference") or "",
        cdr_token=starts.cdr_token(body["token"]),
        parent_id_tag=starts.parent_id_tag(body["token"], is_remote=True),
        reserve_until=parse_datetime(body["expiry_date"]),
        expires_at=call_deadline(),
    )


def receive_cancel_reservation(platform: RoamingPlatform, body: Json, *, sender: Party = NOBODY) -> CommandAnswer:
    """Forwards a CANCEL_RESERVATION. An unknown id, and one of another platform, is told by the result."""
    mine = Reservation.objects.filter(peer_id=platform.peer_id, state__in=OPEN)
    reservation = mine.filter(reservation_id__iexact=body["reservation_id"]).order_by("-pk").first()
    with transaction.atomic():
        command = record(platform, CommandType.CANCEL_RESERVATION, body, CommandResponseType.ACCEPTED, sender=sender)
        try:
            if reservation is None:
                raise Reservation.DoesNotExist
            record_forwarded(command, request_cancellation(reservation, call_deadline()))
        except Reservation.DoesNotExist:
            queue_result(command, CommandResultType.UNKNOWN_RESERVATION)
    return accepted()
