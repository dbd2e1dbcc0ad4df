"""Reserving EVSEs for partners' drivers, and taking reservations back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from chargers.choices import CallAction, IdTokenType, Network, ReservationState, SessionStatus, StopReason
from chargers.models import ChargingSession, OutgoingCall, Reservation
from chargers.services import reservations
from chargers.services.commands import close_if_offline, new_id_tag
from chargers.services.lock_order import lock_charger, lock_session
from chargers.services.outgoing import Json, create_call
from infrastructure import outbox
from infrastructure.models import Charger, Connector
from tariffs.models import TariffVersion


@dataclass(frozen=True, slots=True)
class Outlet:
    """An EVSE that may be used: its first connector, and what charging there costs; `limit` is gross."""

    connector: Connector
    tariff_version: TariffVersion | None
    limit: Decimal | None
    place: Json
    retail: Json | None = None

    def as_json(self) -> Json:
        return {
            "evse": self.connector.evse.number,
            "connector": self.connector.pk,
            "tariff_version": self.tariff_version.pk if self.tariff_version else None,
            "limit": None if self.limit is None else str(self.limit),
            "place": self.place,
            "retail": self.retail,
        }


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """A reservation in the name of a peer, of one EVSE, or (`evse_number` 0) of any of one charger's `outlets`.

    `id_tag` "": one is made up; `connector_type` is one of OCPP 2.0.1, "" for any; `outlets` is empty for an EVSE that
    is not configured.
    """

    charger: Charger
    outlets: Sequence[Outlet]
    evse_number: int
    peer_id: str
    country_code: str
    party_id: str
    reservation_id: str
    authorization_reference: str
    cdr_token: Json
    parent_id_tag: str
    reserve_until: datetime
    expires_at: datetime
    id_tag: str = ""
    id_tag_type: IdTokenType = IdTokenType.CENTRAL
    connector_type: str = ""


def request_reservation(request: ReserveRequest) -> OutgoingCall:
    """Asks the charger to reserve. A repeated (peer, location, reservation id) replaces what it reserved before.

    The charger decides, unless it is offline. Raises IntegrityError when the peer has used the authorization
    reference for another session.
    """
    charger_id = request.charger.pk
    with transaction.atomic():
        lock_charger(charger_id)
        session = _known(request) or _create(request)
        call = create_call(charger_id, session, CallAction.RESERVE_NOW, _payload(request, session), request.expires_at)
        close_if_offline(call, session)
    return call


def _known(request: ReserveRequest) -> ChargingSession | None:
    """The session of an open reservation with this id, locked. Its charger decides on the rest of the change."""
    session_id = (
        Reservation.objects.filter(
            peer_id=request.peer_id,
            location=request.charger.location_id,
            reservation_id__iexact=request.reservation_id,
            state__in=reservations.OPEN,
        )
        .values_list("session_id", flat=True)
        .first()
    )
    session = lock_session(session_id) if session_id else None
    if session is None or session.status != SessionStatus.RESERVATION:
        return None
    if request.authorization_reference:
        session.authorization_reference = request.authorization_reference
        session.save(update_fields=["authorization_reference"])
    return session


def _create(request: ReserveRequest) -> ChargingSession:
    charger = request.charger
    outlets = [outlet.as_json() for outlet in request.outlets]
    session = ChargingSession(
        status=SessionStatus.RESERVATION,
        network=Network.AWAY if request.peer_id else Network.HOME,
        peer_id=request.peer_id,
        country_code=request.country_code,
        party_id=request.party_id,
        authorization_reference=request.authorization_reference,
        cdr_token=request.cdr_token,
        id_tag=request.id_tag or new_id_tag(),
        parent_id_tag=request.parent_id_tag,
        currency=charger.location.effective_currency,
        time_zone=charger.location.effective_time_zone,
    )
    if outlets:
        reservations.assign(session, reservations.reserved_outlet(outlets, request.evse_number))
    session.save()
    Reservation.objects.create(
        session=session,
        location=charger.location,
        charger=charger,
        evse_number=request.evse_number,
        peer_id=request.peer_id,
        reservation_id=request.reservation_id,
        outlets=outlets,
        expires_at=request.reserve_until,
    )
    return session


def _payload(request: ReserveRequest, session: ChargingSession) -> dict[str, Any]:
    return {
        "reservation": session.reservation.pk,
        "evse": request.evse_number,
        "id_tag": request.id_tag or session.id_tag,
        "id_tag_type": request.id_tag_type.value,
        "parent_id_tag": request.parent_id_tag,
        "connector_type": request.connector_type,
        "expires_at": request.reserve_until.astimezone(UTC).isoformat(),
        "cdr_token": request.cdr_token,
        "outlets": [outlet.as_json() for outlet in request.outlets],
    }


def request_cancellation(reservation: Reservation, expires_at: datetime) -> OutgoingCall:
    """Asks the charger to forget a reservation. Raises DoesNotExist when it is over, or its charger gone."""
    with transaction.atomic():
        session = lock_session(reservation.session_id)
        if session is None or session.reservation.state not in reservations.OPEN:
            raise Reservation.DoesNotExist(f"reservation {reservation.pk} is over")
        charger_id = session.reservation.charger_id
        if charger_id is None:
            raise Reservation.DoesNotExist(f"the charger of reservation {reservation.pk} is no longer configured")
        payload = {"reservation": reservation.pk}
        call = create_call(charger_id, session, CallAction.CANCEL_RESERVATION, payload, expires_at)
        close_if_offline(call, session)
    return call


def cancel_reservation(reservation: Reservation) -> bool:
    """As `take_back`. False when it was over before, or the charger has yet to answer."""
    try:
        take_back(reservation)
    except NotHeld:
        return False
    return True


class NotHeld(Exception):
    """The reservation is over, or its charger has yet to answer."""


def take_back(reservation: Reservation) -> OutgoingCall | None:
    """We take a reservation back: it costs nothing, and its partner is told (outbox "reservation").

    It is over whatever the charger says; None when the charger is offline and cannot be told. Raises NotHeld.
    """
    with transaction.atomic():
        session = lock_session(reservation.session_id)
        if session is None or session.reservation.state != ReservationState.ACCEPTED:
            raise NotHeld(f"reservation {reservation.pk}")
        reservations.end_unused(session, ReservationState.CANCELLED, StopReason.STAFF, timezone.now())
        outbox.record("reservation", reservation.pk)
        return reservations.release(session.reservation.charger_id, reservation.pk)


def withdraw_reservation(charger_id: int, reservation_pk: int) -> None:
    """The charger no longer keeps a reservation (OCPP 2.0.1, H02): its partner is told, and it costs nothing."""
    reservation = Reservation.objects.filter(pk=reservation_pk, charger_id=charger_id).first()
    if reservation is not None:
        cancel_reservation(reservation)
