"""Telling partners how their commands ended, and what became of their reservations (consumers of the event map)."""

from django.utils import timezone

from chargers.choices import ReservationState, StopReason
from chargers.models import OutgoingCall, Reservation
from roaming.choices import CommandResultType, CommandType
from roaming.models import Command
from roaming.services.commands.answers import queue_cancelled, queue_result
from roaming.services.commands.start import repetitions
from roaming.services.push import STATE_LIFETIME


def report_call(call_id: int) -> None:
    """Tells the partner how its command ended, once, and how its repetitions did (consumer of "call")."""
    call = OutgoingCall.objects.get(pk=call_id)
    command = Command.objects.select_for_update(of=("self",)).filter(call=call, result="").first()
    if command is not None:
        for waiting in (command, *repetitions(command).filter(result="")):
            queue_result(waiting, call.result)


def report_reservation(reservation_pk: int) -> None:
    """Tells the partner, where it asked for the reservation, that we took it back (consumer of "reservation")."""
    reservation = Reservation.objects.select_related("session").get(pk=reservation_pk)
    is_ours = reservation.session.stop_reason == StopReason.STAFF
    if reservation.state != ReservationState.CANCELLED or not is_ours:
        return
    asked = Command.objects.select_for_update(of=("self",)).filter(
        type=CommandType.RESERVE_NOW, session=reservation.session, result=CommandResultType.ACCEPTED
    )
    command = asked.order_by("-received_at").first()
    if command is not None:
        queue_cancelled(command, max(reservation.expires_at, timezone.now() + STATE_LIFETIME))
