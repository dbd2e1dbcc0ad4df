"""What every command has in common: its immediate answer, its row, and the result that follows."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from chargers.models import OutgoingCall
from infrastructure import correlation
from roaming.choices import CommandResponseType, CommandResultType, CommandType, Module
from roaming.models import Command, RoamingPlatform
from roaming.services import exposure, hub, push

Json = dict[str, Any]

# The charger gets this part of the timeout that the partner was told: our result must arrive before it ends.
CHARGERS_SHARE = 2 / 3

Party = tuple[str, str]  # country code, party id
NOBODY: Party = ("", "")

REJECTED_DATA = {"result": CommandResponseType.REJECTED.value, "timeout": 0}


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """The immediate CommandResponse; `timeout` in seconds."""

    result: CommandResponseType
    timeout: int = 0
    message: str = ""
    status_code: int = 1000


def rejected(message: str) -> CommandAnswer:
    return CommandAnswer(CommandResponseType.REJECTED, message=message)


def not_supported(message: str) -> CommandAnswer:
    return CommandAnswer(CommandResponseType.NOT_SUPPORTED, message=message)


def accepted() -> CommandAnswer:
    return CommandAnswer(CommandResponseType.ACCEPTED, math.ceil(settings.COMMAND_TIMEOUT.total_seconds()))


def call_deadline() -> datetime:
    return timezone.now() + settings.COMMAND_TIMEOUT * CHARGERS_SHARE


def record(
    platform: RoamingPlatform,
    command_type: CommandType,
    body: Json,
    response: CommandResponseType,
    reference: str = "",
    *,
    sender: Party = NOBODY,
) -> Command:
    return Command.objects.create(
        platform=platform,
        type=command_type,
        request=body,
        response_url=body["response_url"],
        authorization_reference=reference,
        from_country_code=sender[0],
        from_party_id=sender[1],
        correlation_id=correlation.current(),
        response=response,
        expires_at=timezone.now() + settings.COMMAND_TIMEOUT,
    )


def record_forwarded(command: Command, call: OutgoingCall) -> None:
    Command.objects.filter(pk=command.pk).update(call=call, session=call.session)


def queue_result(command: Command, result: str) -> None:
    """The CommandResult, of use to the partner only within the timeout that it was told."""
    Command.objects.filter(pk=command.pk).update(result=result)
    _post(command, command.uid, result, command.expires_at)


def queue_cancelled(command: Command, give_up_at: datetime) -> None:
    """A second result of a RESERVE_NOW: we took the reservation back (2.2.1 mod_commands, 13.3.2)."""
    Command.objects.filter(pk=command.pk).update(result=CommandResultType.CANCELED_RESERVATION)
    _post(command, f"{command.uid} cancelled", CommandResultType.CANCELED_RESERVATION, give_up_at)


def _post(command: Command, object_id: str, result: str, give_up_at: datetime) -> None:
    to = {"to_country_code": command.from_country_code, "to_party_id": command.from_party_id}
    if not hub.is_reachable(command.platform, *to.values()):
        return
    country_code, party_id = _own_party(command)
    push.enqueue(
        command.platform,
        Module.COMMANDS,
        object_id,
        method="POST",
        url=command.response_url,
        body={"country_code": country_code, "party_id": party_id, "body": {"result": result}} | to,
        correlation_id=command.correlation_id,
        give_up_at=give_up_at,
    )


def _own_party(command: Command) -> tuple[str, str]:
    """Who of us answers: the party of the session, else of the charger's operator."""
    if command.session is not None:
        return command.session.country_code, command.session.party_id
    profile = None
    if command.call is not None:
        operator_id = command.call.charger.location.operator_id
        profile = exposure.profiles_by_operator(command.platform).get(operator_id)
    profile = profile or command.platform.profiles.order_by("pk").first()
    return (profile.country_code, profile.party_id) if profile else ("", "")
