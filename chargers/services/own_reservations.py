"""Reservations that staff's programs make for cards of their own: no partner, no price."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from chargers.choices import IdTokenType, OcppVersion, TokenType
from chargers.models import ChargerConnection, OutgoingCall, Reservation
from chargers.services.id_tokens import LONGEST_TAG_16, in_capitals
from chargers.services.ocpp_requests import ChargerOffline, InvalidRequest
from chargers.services.outgoing import is_online
from chargers.services.reserving import Outlet, ReserveRequest, request_reservation, take_back
from infrastructure.models import Charger, Connector


@dataclass(frozen=True, slots=True)
class OwnReservation:
    """`evse_number` 0: any EVSE of the charger. `reservation_id` "": a new one; one that is open is replaced.

    `connector_type`: ConnectorEnumType of OCPP 2.0.1; "" for any.
    """

    charger: Charger
    evse_number: int
    id_tag: str
    id_tag_type: IdTokenType
    parent_id_tag: str
    reserve_until: datetime
    reservation_id: str = ""
    connector_type: str = ""


def reserve(wanted: OwnReservation, expires_at: datetime) -> OutgoingCall:
    """Asks the charger, whatever EVSE it is. Raises ChargerOffline, or InvalidRequest for a tag too long for it.

    Whoever shows the tag charges without a bill, as with our own id tokens.
    """
    with transaction.atomic():
        _check(wanted)
        request = ReserveRequest(
            charger=wanted.charger,
            outlets=_outlets(wanted.charger, wanted.evse_number),
            evse_number=wanted.evse_number,
            peer_id="",
            country_code="",
            party_id="",
            reservation_id=wanted.reservation_id or str(uuid4()),
            authorization_reference="",
            cdr_token={"uid": wanted.id_tag, "type": TokenType.RFID.value},
            parent_id_tag=wanted.parent_id_tag,
            reserve_until=wanted.reserve_until,
            expires_at=expires_at,
            # As the reader tells it: handlers know tags in capitals.
            id_tag=in_capitals(wanted.id_tag),
            id_tag_type=wanted.id_tag_type,
            connector_type=wanted.connector_type,
        )
        return request_reservation(request)


def _check(wanted: OwnReservation) -> None:
    connection = ChargerConnection.objects.filter(charger=wanted.charger).first()
    if connection is None or not connection.is_online:
        raise ChargerOffline(f"{wanted.charger.identity} is offline.")
    if connection.protocol == OcppVersion.V201:
        return
    if len(wanted.id_tag) > LONGEST_TAG_16:
        text = _("This charger speaks OCPP 1.6, whose id tags have at most %(most)d characters.")
        raise InvalidRequest({"id_tag": [text % {"most": LONGEST_TAG_16}]})
    if wanted.connector_type:
        told = _("This charger speaks OCPP 1.6, which reserves no type of connector: name an EVSE.")
        raise InvalidRequest({"connector_type": [told]})


def _outlets(charger: Charger, evse_number: int) -> list[Outlet]:
    """The first connector of each EVSE meant; none for an EVSE that is not configured."""
    connectors = Connector.objects.filter(evse__charger=charger).select_related("evse__charger__location")
    if evse_number:
        connectors = connectors.filter(evse__number=evse_number)
    first: dict[int, Connector] = {}
    for connector in connectors.order_by("evse__number", "number"):
        first.setdefault(connector.evse_id, connector)
    return [Outlet(connector, None, None, {}) for connector in first.values()]


def cancel(reservation: Reservation) -> OutgoingCall:
    """Takes a reservation back and lets its charger forget it. Raises ChargerOffline, or NotHeld."""
    with transaction.atomic():
        if reservation.charger is None or not is_online(reservation.charger.pk):
            raise ChargerOffline(f"{reservation.charger.identity if reservation.charger else reservation} is offline.")
        call = take_back(reservation)
        if call is None:  # it went this moment
            raise ChargerOffline(f"{reservation.charger.identity} is offline.")
        return call
