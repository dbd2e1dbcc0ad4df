"""What others may ask of a charger: start a session for them, stop it."""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from chargers.choices import CallAction, CallResult, CallState, Network, SessionStatus, StopReason
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls, reservations
from chargers.services.lock_order import lock_connection, lock_session
from chargers.services.outgoing import Json, create_call, is_online
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE, Connector
from tariffs.models import TariffVersion

logger = logging.getLogger(__name__)

# Why an EVSE cannot start a session. UNKNOWN is not among them: the charger itself says no if it must.
OCCUPIED = {
    EVSEStatus.CHARGING: "Another car charges here.",
    EVSEStatus.BLOCKED: "The cable of the last session is still plugged in.",
    EVSEStatus.RESERVED: "The EVSE is reserved.",
}
INOPERATIVE = {
    EVSEStatus.INOPERATIVE: "The EVSE is out of service.",
    EVSEStatus.OUTOFORDER: "The EVSE is out of order.",
    EVSEStatus.PLANNED: "The EVSE is not in use yet.",
    EVSEStatus.REMOVED: "The EVSE is no longer in use.",
}
RUNNING = (SessionStatus.PENDING, SessionStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A start in the name of a peer, whose parts it names itself; `limit` is gross, `place` a CdrLocation, `retail`
    the terms of the driver's price (`ChargingSession.retail`)."""

    connector: Connector
    peer_id: str
    country_code: str
    party_id: str
    authorization_reference: str
    cdr_token: Json | None
    tariff_version: TariffVersion | None
    limit: Decimal | None
    place: Json
    expires_at: datetime
    parent_id_tag: str = ""
    retail: Json | None = None


def request_start(request: StartRequest) -> OutgoingCall:
    """Creates a PENDING session and the call that starts it; a call that cannot succeed is finished at once.

    A token for which the EVSE is reserved starts the session of its reservation, with the tag that was reserved.
    Raises IntegrityError when the peer has used the authorization reference before.
    """
    evse = request.connector.evse
    with transaction.atomic():
        connection = lock_connection(evse.charger_id)
        kept = reservations.kept_for(evse, request.peer_id, request.cdr_token, request.parent_id_tag)
        refusal = _refusal(evse, connection, kept)
        session = _use_reservation(kept.session, request) if kept.session else _create_session(request)
        payload = {"evse": evse.number, "id_tag": session.id_tag}
        call = create_call(evse.charger_id, session, CallAction.START_TRANSACTION, payload, request.expires_at)
        if refusal is not None:
            result, reason = refusal
            logger.info("start of session %s refused: %s", session, reason)
            calls.close_call(call, session, result, {"reason": reason})
    return call


def _refusal(
    evse: EVSE, connection: ChargerConnection | None, kept: reservations.Kept
) -> tuple[CallResult, str] | None:
    """Why a start would be in vain, as far as we know."""
    if connection is None or not connection.is_online:
        return CallResult.EVSE_INOPERATIVE, "The charger is offline."
    status = EVSEStatus(EVSE.objects.values_list("status", flat=True).get(pk=evse.pk))
    if status in INOPERATIVE:
        return CallResult.EVSE_INOPERATIVE, INOPERATIVE[status]
    if status in OCCUPIED and not (status == EVSEStatus.RESERVED and kept.session):
        return CallResult.EVSE_OCCUPIED, OCCUPIED[status]
    if kept.is_for_another:
        return CallResult.EVSE_OCCUPIED, "The EVSE is reserved for somebody else."
    if ChargingSession.objects.filter(connector__evse=evse, status__in=RUNNING, over_since=None).exists():
        return CallResult.EVSE_OCCUPIED, "Another session runs or waits for its car here."
    return None


def _create_session(request: StartRequest) -> ChargingSession:
    location = request.connector.evse.charger.location
    version = request.tariff_version
    return ChargingSession.objects.create(
        connector=request.connector,
        network=Network.AWAY if request.peer_id else Network.HOME,
        peer_id=request.peer_id,
        country_code=request.country_code,
        party_id=request.party_id,
        authorization_reference=request.authorization_reference,
        cdr_token=request.cdr_token,
        id_tag=new_id_tag(),
        parent_id_tag=request.parent_id_tag,
        place=request.place,
        currency=version.content["currency"] if version else location.effective_currency,
        time_zone=location.effective_time_zone,
        tariff_version=version,
        limit=request.limit,
        retail=request.retail,
    )


def new_id_tag() -> str:
    """At most 20 characters (OCPP 1.6 IdToken), and not to be guessed."""
    return secrets.token_hex(10).upper()


def _use_reservation(session: ChargingSession, request: StartRequest) -> ChargingSession:
    """The newest reference is the one that counts (2.2.1 mod_sessions, `authorization_reference`)."""
    version = request.tariff_version
    session.connector, session.place, session.limit = request.connector, request.place, request.limit
    session.tariff_version, session.retail = version, request.retail
    session.currency = version.content["currency"] if version else session.currency
    session.authorization_reference = request.authorization_reference or session.authorization_reference
    session.cdr_token = request.cdr_token
    session.last_updated = timezone.now()
    session.save()
    outbox.record("session", session.pk)
    return session


def request_unlock(evse: EVSE, expires_at: datetime) -> OutgoingCall:
    """Asks the charger to let go of the cable; a transaction that runs there ends (OCPP 1.6, 5.18)."""
    with transaction.atomic():
        payload = {"evse": evse.number}
        call = create_call(evse.charger_id, None, CallAction.UNLOCK_CONNECTOR, payload, expires_at)
        close_if_offline(call, None)
    return call


def close_if_offline(call: OutgoingCall, session: ChargingSession | None) -> None:
    """Finishes a call at once that could not reach its charger. Needs the session's lock."""
    if not is_online(call.charger_id):
        calls.close_call(call, session, CallResult.EVSE_INOPERATIVE, {"reason": "The charger is offline."})


def request_stop(session: ChargingSession, by: StopReason, expires_at: datetime) -> OutgoingCall:
    """Asks the charger to end a session; while such a request is open, it is the answer to another one.

    A session that still waits for its car is given up without the charger: OCPP 1.6 knows no way to say so.
    Raises DoesNotExist when the session's charger is no longer configured.
    """
    with transaction.atomic():
        current = lock_session(session.pk)
        if current is None:
            raise ChargingSession.DoesNotExist(f"session {session.pk}")
        stops = current.calls.filter(action=CallAction.STOP_TRANSACTION).exclude(state=CallState.DONE)
        return stops.first() or create_stop(current, _charger_of(current), by, expires_at)


def create_stop(session: ChargingSession, charger_id: int, by: StopReason, expires_at: datetime) -> OutgoingCall:
    """`request_stop` for a caller that holds the session's lock and knows that no stop is open."""
    payload = {"transaction_id": session.transaction_id}
    call = create_call(charger_id, session, CallAction.STOP_TRANSACTION, payload, expires_at)
    if session.status == SessionStatus.PENDING and session.transaction_id:
        # The charger has begun a transaction for it and waits for the cable: it must know (OCPP 2.0.1, F03).
        give_up(session, by)
        close_if_offline(call, session)
        return call
    if session.status != SessionStatus.ACTIVE:
        if session.status == SessionStatus.PENDING:
            give_up(session, by)
        calls.close_call(call, session, CallResult.ACCEPTED, {"reason": "Nothing is running."})
        return call
    session.stop_requested_at, session.stop_requested_by = timezone.now(), by
    session.save(update_fields=["stop_requested_at", "stop_requested_by"])
    close_if_offline(call, session)
    return call


def _charger_of(session: ChargingSession) -> int:
    if session.connector is not None:
        return session.connector.evse.charger_id
    # Its connector was deleted meanwhile, or never configured; earlier calls know where it was.
    charger_id = session.calls.values_list("charger_id", flat=True).first()
    if charger_id is None:
        raise ChargingSession.DoesNotExist(f"The charger of session {session} is no longer configured.")
    return charger_id


def give_up(session: ChargingSession, by: StopReason | None = None) -> None:
    """Ends a PENDING session that will not be charged or billed; `by` None: nobody came. Needs the session's lock."""
    if by is not None:
        session.stop_requested_at, session.stop_requested_by = timezone.now(), by
    session.status = SessionStatus.INVALID
    session.transaction_id = ""  # what the charger begins with it after all is another session
    session.last_updated = timezone.now()
    told = ["stop_requested_at", "stop_requested_by"] if by else []
    session.save(update_fields=["status", "transaction_id", "last_updated", *told])
    outbox.record("session", session.pk)
