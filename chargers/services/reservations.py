"""What becomes of reservations (OCPI 2.2.1 mod_commands, 13.3.2; OCPP 1.6, 5.13).

A reservation is guarded by the lock of its session, which begins as a RESERVATION, becomes ACTIVE when its token
charges, and is COMPLETED when it never does.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chargers.choices import CallAction, CallResult, CallState, ReservationState, SessionStatus, StopReason
from chargers.models import ChargingSession, OutgoingCall, Reservation
from chargers.ports import Permit
from chargers.services import authorize, cdrs, clock, metering, outgoing
from chargers.services.events import TransactionStarted
from chargers.services.lock_order import lock_session
from infrastructure import outbox
from infrastructure.models import EVSE

logger = logging.getLogger(__name__)

Json = dict[str, Any]

OPEN = (ReservationState.PENDING, ReservationState.ACCEPTED)
# Stands for an EVSE or connector that is not chosen yet (2.2.1 mod_sessions, 9.3.1).
NOT_ASSIGNED = "#NA"
# Shorter ones are a change of mind; the published hours have no digits for them.
SHORTEST = timedelta(seconds=1)

EXPIRED = "The reservation expired unused."
CANCELLED = "The reservation was cancelled."

SESSION_FIELDS = (
    "status",
    "connector",
    "place",
    "tariff_version",
    "limit",
    "retail",
    "currency",
    "id_tag",
    "cdr_token",
    "parent_id_tag",
    "authorization_reference",
    "accepted_at",
    "reserved_at",
    "last_updated",
)


# What the charger answered


def settle_reservation(call: OutgoingCall, session: ChargingSession, result: CallResult) -> None:
    """Makes or changes the reservation as the call asked for, or gives it up. Needs the session's lock."""
    reservation = session.reservation
    if result != CallResult.ACCEPTED:
        if result == CallResult.TIMEOUT and call.sent_at is not None:
            _release_unknown(call, reservation)
        if reservation.state == ReservationState.PENDING and not _is_asked_again(call, session):
            _refuse(reservation, session)
    elif reservation.state == ReservationState.USED:
        logger.info("reservation %s was used before its charger accepted it", reservation)
    elif reservation.state in OPEN and session.status == SessionStatus.RESERVATION:
        _apply(call, reservation, session)
    else:
        release(call.charger_id, reservation.pk)


def _is_asked_again(call: OutgoingCall, session: ChargingSession) -> bool:
    open_calls = session.calls.filter(action=CallAction.RESERVE_NOW).exclude(state=CallState.DONE)
    return open_calls.exclude(pk=call.pk).exists()


def _release_unknown(call: OutgoingCall, reservation: Reservation) -> None:
    """The charger may have reserved without telling us: nobody would ever come. What it held before stays."""
    if reservation.state == ReservationState.PENDING or reservation.charger_id != call.charger_id:
        release(call.charger_id, reservation.pk)


def _refuse(reservation: Reservation, session: ChargingSession) -> None:
    """No partner has seen this session; its reference is free for another attempt."""
    reservation.state, reservation.ended_at = ReservationState.REJECTED, timezone.now()
    reservation.save(update_fields=["state", "ended_at"])
    session.status, session.authorization_reference = SessionStatus.INVALID, ""
    session.last_updated = timezone.now()
    session.save(update_fields=["status", "authorization_reference", "last_updated"])


def _apply(call: OutgoingCall, reservation: Reservation, session: ChargingSession) -> None:
    """Writes what was asked for: the first time, and with every replacement (same id: 2.2.1 mod_commands)."""
    now, wanted = timezone.now(), call.payload
    if reservation.charger_id not in (None, call.charger_id):
        release(reservation.charger_id, reservation.pk)
    reservation.charger_id, reservation.evse_number = call.charger_id, wanted["evse"]
    reservation.outlets = wanted["outlets"]
    reservation.expires_at = datetime.fromisoformat(wanted["expires_at"])
    reservation.state = ReservationState.ACCEPTED
    reservation.save(update_fields=["charger", "evse_number", "outlets", "expires_at", "state"])
    if reservation.outlets:
        assign(session, reserved_outlet(reservation.outlets, reservation.evse_number))
    session.id_tag = wanted["id_tag"]
    session.cdr_token, session.parent_id_tag = wanted["cdr_token"], wanted["parent_id_tag"]
    session.accepted_at = session.accepted_at or now
    session.reserved_at = session.reserved_at or now
    _save(session)


def reserved_outlet(outlets: list[Json], evse_number: int) -> Json:
    """The first outlet, its place as far as it is settled: never the connector, and the EVSE if one was named."""
    unsettled = ["connector_id"] if evse_number else ["connector_id", "evse_uid", "evse_id"]
    return {**outlets[0], "place": outlets[0]["place"] | dict.fromkeys(unsettled, NOT_ASSIGNED)}


def assign(session: ChargingSession, outlet: Json) -> None:
    """Sets where and at which price the session charges; saves nothing."""
    session.connector_id, session.place = outlet["connector"], outlet["place"]
    session.tariff_version_id = outlet["tariff_version"]
    session.limit = None if outlet["limit"] is None else Decimal(outlet["limit"])
    session.retail = outlet.get("retail")
    if session.tariff_version is not None:
        session.currency = session.tariff_version.content["currency"]


def _save(session: ChargingSession) -> None:
    session.last_updated = timezone.now()
    session.save(update_fields=SESSION_FIELDS)
    outbox.record("session", session.pk)


def release(charger_id: int | None, reservation_pk: int) -> OutgoingCall | None:
    """Lets a charger forget a reservation that is none any more; when it is offline (None), the expiry does."""
    if charger_id is None or not outgoing.is_online(charger_id):
        return None
    expires_at = timezone.now() + settings.COMMAND_TIMEOUT
    payload = {"reservation": reservation_pk}
    return outgoing.create_call(charger_id, None, CallAction.CANCEL_RESERVATION, payload, expires_at)


def is_cancelled(session: ChargingSession) -> bool:
    return Reservation.objects.filter(session=session, state=ReservationState.CANCELLED).exists()


def settle_cancellation(session: ChargingSession, result: CallResult) -> None:
    """A reservation that the charger does not know is over as well. Needs the session's lock."""
    is_gone = result in (CallResult.ACCEPTED, CallResult.UNKNOWN_RESERVATION)
    if is_gone and session.reservation.state in OPEN:
        end_unused(session, ReservationState.CANCELLED, StopReason.PARTNER, timezone.now())


# Its token comes


@dataclass(frozen=True, slots=True)
class Kept:
    """What reservations say of a start at an EVSE: the session that it uses, locked, or whether it must not be."""

    session: ChargingSession | None = None
    is_for_another: bool = False


def kept_for(evse: EVSE, peer_id: str, cdr_token: Json | None, parent_id_tag: str) -> Kept:
    """For a start with that token. One of several EVSEs is the charger's to keep free."""
    here = Reservation.objects.filter(
        charger=evse.charger_id, evse_number__in=(0, evse.number), state=ReservationState.ACCEPTED
    )
    accepted = list(here.select_related("session").order_by("-evse_number"))
    for reserved in (one.session for one in accepted if one.peer_id == peer_id):
        is_group = bool(parent_id_tag) and reserved.parent_id_tag == parent_id_tag
        if is_group or _is_same_token(reserved.cdr_token, cdr_token):
            session = lock_session(reserved.pk)
            if session is not None and session.status == SessionStatus.RESERVATION:
                return Kept(session)
    return Kept(is_for_another=any(one.evse_number for one in accepted))


def _is_same_token(one: Json | None, other: Json | None) -> bool:
    names = ("country_code", "party_id", "uid", "type")
    first, second = ([str((token or {}).get(name, "")).upper() for name in names] for token in (one, other))
    return any(first) and first == second


def take_up(charger_id: int, event: TransactionStarted, permit: Permit | None) -> ChargingSession | None:
    """The session whose reservation this transaction uses, locked and settled on the EVSE; None without one."""
    session_id = _expected(charger_id, event, permit)
    session = lock_session(session_id) if session_id else None
    if session is None or session.status != SessionStatus.RESERVATION:
        return None
    at = clock.start_of(session, event.at, timezone.now())
    reservation = session.reservation
    reservation.state, reservation.ended_at = ReservationState.USED, at
    reservation.save(update_fields=["state", "ended_at"])
    outlet = reservation.outlet(event.evse_number)
    if outlet is not None and not _is_settled(session, event.evse_number):
        assign(session, outlet)
    session.reserved_at = min(session.reserved_at or at, at)
    if permit is not None and permit.start is not None:  # another card of the group came
        session.cdr_token = permit.start.cdr_token
    _save(session)
    return session


def _expected(charger_id: int, event: TransactionStarted, permit: Permit | None) -> int | None:
    """By tag or card; a card of the same group is known by the reservation that the charger names with it."""
    reserved = authorize.reserved_sessions(charger_id, event.evse_number)
    session_id = reserved.filter(authorize.is_meant(event.id_tag)).values_list("pk", flat=True).first()
    if session_id is None and permit is not None and permit.start is not None and permit.parent_id_tag:
        group = reserved.filter(
            reservation=event.reservation_id, parent_id_tag=permit.parent_id_tag, peer_id=permit.start.peer_id
        )
        session_id = group.values_list("pk", flat=True).first()
    return session_id


def _is_settled(session: ChargingSession, evse_number: int) -> bool:
    """A remote start has named the connector already."""
    connector = session.connector
    is_here = connector is not None and connector.evse.number == evse_number
    return is_here and session.place.get("connector_id") != NOT_ASSIGNED


# Its token does not come


def end_unused(session: ChargingSession, state: ReservationState, by: StopReason | None, at: datetime) -> None:
    """Ends a reservation without charging; a CDR only if something is owed. Needs the session's lock.

    Our own cancellation costs nothing. `by` None: nobody ended it, its time was over.
    """
    reservation = session.reservation
    reservation.state, reservation.ended_at = state, at
    reservation.save(update_fields=["state", "ended_at"])
    session.status, session.ended_at, session.stop_reason = SessionStatus.COMPLETED, at, by or ""
    if session.reserved_at is None:  # not answered yet: no partner has seen it
        session.status = SessionStatus.INVALID
    session.last_updated = timezone.now()
    owed = _owed(session, state, by, at)
    if owed is not None:
        metering.write_progress(session, owed)
    elif session.tariff_version is not None:
        session.total_cost_excl_vat = session.total_cost_incl_vat = metering.ZERO
    session.save(update_fields=["status", "ended_at", "stop_reason", *metering.PROGRESS_FIELDS])
    outbox.record("session", session.pk)
    if owed is not None:
        cdrs.create_cdr(session, owed, EXPIRED if state == ReservationState.EXPIRED else CANCELLED)


def _owed(
    session: ChargingSession, state: ReservationState, by: StopReason | None, at: datetime
) -> metering.Priced | None:
    if by == StopReason.STAFF or session.reserved_at is None or at - session.reserved_at < SHORTEST:
        return None
    priced = metering.price_unused(session, at, has_expired=state == ReservationState.EXPIRED)
    # Not the total: a minimum price is for those who charge.
    return priced if priced.cost is not None and priced.cost.subtotal.incl_vat else None


def expire_reservations() -> None:
    """Ends reservations whose time is over, except one whose driver is just about to plug in."""
    due = Reservation.objects.filter(state=ReservationState.ACCEPTED, expires_at__lte=timezone.now())
    for session_id in list(due.values_list("session_id", flat=True)):
        try:
            _expire(session_id)
        except Exception:  # one that cannot be priced must not keep the others
            logger.exception("the reservation of session %s cannot be ended", session_id)


def _expire(session_id: int) -> None:
    now = timezone.now()
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.RESERVATION or _is_starting(session, now):
            return
        reservation = session.reservation
        if reservation.state == ReservationState.ACCEPTED and reservation.expires_at <= now:
            ended_at = max(reservation.expires_at, session.reserved_at or now)
            end_unused(session, ReservationState.EXPIRED, None, ended_at)


def _is_starting(session: ChargingSession, now: datetime) -> bool:
    starts = session.calls.filter(action=CallAction.START_TRANSACTION)
    accepted = starts.filter(result=CallResult.ACCEPTED, finished_at__gt=now - settings.PLUG_IN_TIMEOUT)
    return accepted.exists() or starts.exclude(state=CallState.DONE).exists()
