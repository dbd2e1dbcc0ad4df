"""START_SESSION (OCPI 2.2.1 mod_commands, 13.3.5; DirectPayment 6.3)."""

import math
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chargers.services.commands import StartRequest, request_start
from infrastructure.choices import Capability
from infrastructure.models import Connector
from roaming.choices import CommandResponseType, CommandType, PlatformType
from roaming.models import Command, RoamingPlatform
from roaming.ocpi.errors import InvalidParameters
from roaming.services import rendering, retail, starts
from roaming.services.commands.answers import (
    NOBODY,
    REJECTED_DATA,
    CommandAnswer,
    Party,
    accepted,
    call_deadline,
    queue_result,
    record,
    record_forwarded,
    rejected,
)
from roaming.services.commands.places import find_connector, profile_at

Json = dict[str, Any]


def receive_start_session(platform: RoamingPlatform, body: Json, *, sender: Party = NOBODY) -> CommandAnswer:
    """Forwards a START_SESSION. Raises InvalidParameters and UnknownLocation (with result REJECTED in the data).

    A repeated authorization reference gets the first answer and starts nothing (DirectPayment 6.3: unique).
    """
    _check_start(platform, body)
    reference = body.get("authorization_reference") or ""
    first = _command_with(platform, reference)
    if first is not None:
        return _repeated(first, body, sender)
    connector = find_connector(platform, body)
    _check_connector(connector, body)
    profile = profile_at(platform, connector)
    version = starts.tariff_version(platform, connector)
    if version is None and platform.type == PlatformType.PTP:
        return _reject(platform, body, "No tariff applies at this connector.", sender)
    request = StartRequest(
        connector=connector,
        peer_id=platform.peer_id,
        country_code=profile.country_code,
        party_id=profile.party_id,
        authorization_reference=reference,
        cdr_token=starts.cdr_token(body["token"]),
        tariff_version=version,
        limit=starts.limit(platform, version),
        retail=retail.frozen_terms(platform),
        place=rendering.cdr_location(connector),
        expires_at=call_deadline(),
        parent_id_tag=starts.parent_id_tag(body["token"], is_remote=True),
    )
    try:
        with transaction.atomic():
            command = record(
                platform, CommandType.START_SESSION, body, CommandResponseType.ACCEPTED, reference, sender=sender
            )
            record_forwarded(command, request_start(request))
    except IntegrityError:
        # Either the same start arrived twice at once, or the reference belongs to a reservation elsewhere.
        first = _command_with(platform, reference)
        return rejected("This authorization_reference is in use.") if first is None else _repeated(first, body, sender)
    return accepted()


def repetitions(command: Command) -> QuerySet[Command]:
    """The same start sent again with another address for its result."""
    if command.type != CommandType.START_SESSION:
        return Command.objects.none()
    same = Command.objects.filter(type=CommandType.START_SESSION, session=command.session, call=None)
    return same.exclude(session=None).select_related("platform", "session")


def _check_start(platform: RoamingPlatform, body: Json) -> None:
    if platform.type == PlatformType.PTP:
        for name in ("evse_uid", "connector_id", "authorization_reference"):
            if not body.get(name):
                raise InvalidParameters(f"{name} is required for direct payment (6.3)", data=REJECTED_DATA)
    elif body.get("connector_id") and not body.get("evse_uid"):
        raise InvalidParameters("connector_id needs evse_uid", data=REJECTED_DATA)


def _check_connector(connector: Connector, body: Json) -> None:
    is_required = Capability.START_SESSION_CONNECTOR_REQUIRED in connector.evse.capabilities
    if is_required and body.get("evse_uid") and not body.get("connector_id"):
        raise InvalidParameters("connector_id is required at this EVSE", data=REJECTED_DATA)


def _command_with(platform: RoamingPlatform, reference: str) -> Command | None:
    if not reference:
        return None
    return Command.objects.filter(
        platform=platform, type=CommandType.START_SESSION, authorization_reference__iexact=reference
    ).first()


def _repeated(first: Command, body: Json, sender: Party) -> CommandAnswer:
    if _content(first.request) != _content(body):
        return rejected("This authorization_reference was used for another start.")
    if first.response == CommandResponseType.ACCEPTED and body["response_url"] != first.response_url:
        _report_there_too(first, body, sender)
        return accepted()
    remaining = math.ceil((first.expires_at - timezone.now()).total_seconds())
    return CommandAnswer(CommandResponseType(first.response), max(remaining, 0))


def _report_there_too(first: Command, body: Json, sender: Party) -> None:
    """Who repeats a start with another address waits for the result there: maybe it never saw our first answer."""
    with transaction.atomic():
        # Held until the repetition is written: report_call sees it, or we see its result.
        first = Command.objects.select_for_update(of=("self",)).get(pk=first.pk)
        if repetitions(first).filter(response_url=body["response_url"]).exists():
            return
        # The reference is the first one's, only once per platform.
        again = record(first.platform, CommandType.START_SESSION, body, CommandResponseType.ACCEPTED, sender=sender)
        again.session = first.session
        again.save(update_fields=["session"])
        if first.result:
            queue_result(again, first.result)


def _content(body: Json) -> tuple[str, ...]:
    parts = [body["location_id"], body.get("evse_uid"), body.get("connector_id"), body["token"]["uid"]]
    return tuple(str(part or "").upper() for part in parts)


def _reject(platform: RoamingPlatform, body: Json, message: str, sender: Party) -> CommandAnswer:
    reference = body.get("authorization_reference") or ""
    record(platform, CommandType.START_SESSION, body, CommandResponseType.REJECTED, reference, sender=sender)
    return rejected(message)
