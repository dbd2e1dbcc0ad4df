"""STOP_SESSION (OCPI 2.2.1 mod_commands, 13.3.6)."""

from typing import Any

from django.db import transaction

from chargers.choices import CallResult, SessionStatus, StopReason
from chargers.models import ChargingSession
from chargers.services.commands import request_stop
from roaming.choices import CommandResponseType, CommandType
from roaming.models import Command, RoamingPlatform
from roaming.services.commands.answers import (
    NOBODY,
    CommandAnswer,
    Party,
    accepted,
    call_deadline,
    queue_result,
    record,
    rejected,
)

Json = dict[str, Any]


def receive_stop_session(platform: RoamingPlatform, body: Json, *, sender: Party = NOBODY) -> CommandAnswer:
    """Forwards a STOP_SESSION; UNKNOWN_SESSION for none, REJECTED for another party's or an ended one."""
    session = ChargingSession.objects.filter(uid__iexact=body["session_id"]).first()
    if session is None:
        return CommandAnswer(CommandResponseType.UNKNOWN_SESSION, message="There is no such session.")
    if session.peer_id != platform.peer_id:
        return rejected("This session is not yours.")
    if session.status == SessionStatus.RESERVATION:
        return rejected("This session is a reservation: use CANCEL_RESERVATION.")
    if session.status not in (SessionStatus.PENDING, SessionStatus.ACTIVE):
        return rejected("This session has ended.")
    with transaction.atomic():
        command = record(platform, CommandType.STOP_SESSION, body, CommandResponseType.ACCEPTED, sender=sender)
        call = request_stop(session, StopReason.PARTNER, call_deadline())
        shared = Command.objects.filter(call=call).exists()
        Command.objects.filter(pk=command.pk).update(call=None if shared else call, session=session)
        if shared:
            # The charger is stopping already: this request has nothing to wait for.
            queue_result(Command.objects.select_related("platform", "session").get(pk=command.pk), CallResult.ACCEPTED)
    return accepted()
