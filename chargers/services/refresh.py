"""Asking a charger that has come back how it is: after a lost link it need not boot, nor tell its status again."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from chargers.choices import CallAction, OcppVersion
from chargers.models import ChargerConnection, OutgoingCall
from chargers.services.outgoing import request_ocpp
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE

Json = dict[str, Any]

ACTION = "TriggerMessage"
# Short: a driver's start must not wait behind a charger that does not know this request.
ANSWER_WITHIN = timedelta(seconds=10)
# A charger that does not answer, or knows no such request, is not asked all the time.
VALUES_EVERY = timedelta(seconds=60)
VALUES = {OcppVersion.V16: "MeterValues", OcppVersion.V201: "TransactionEvent"}


def request_missing(charger_id: int, channel_name: str) -> int:
    """Asks for what the charger has not told since this socket opened: who it is, and the status of its EVSEs.

    Returns the number of requests; none when another socket has taken over.
    """
    connection = ChargerConnection.objects.filter(charger_id=charger_id, channel_name=channel_name).first()
    if connection is None:
        return 0
    wanted: list[Json] = []
    if connection.booted_at is None:
        wanted.append({"requestedMessage": "BootNotification"})
    unknown = EVSE.objects.filter(charger_id=charger_id, status=EVSEStatus.UNKNOWN).order_by("number")
    for evse in unknown.prefetch_related("connectors"):
        numbers = sorted(connector.number for connector in evse.connectors.all()) or [1]
        wanted += status_requests(connection.protocol, evse.number, numbers)
    expires_at = timezone.now() + ANSWER_WITHIN * max(len(wanted), 1)
    for payload in wanted:
        request_ocpp(charger_id, ACTION, payload, expires_at)
    return len(wanted)


def request_values(charger_id: int, evse_number: int) -> bool:
    """Asks for the meter of a running session now; False when this EVSE was asked a moment ago.

    OCPP 2.0.1 tells it in a TransactionEvent: the values of a MeterValues are those of the clock, if any (F06).
    """
    now = timezone.now()
    asked = OutgoingCall.objects.filter(
        Q(payload__payload__evse__id=evse_number) | Q(payload__payload__connectorId=evse_number),
        charger_id=charger_id,
        action=CallAction.OCPP,
        created_at__gt=now - VALUES_EVERY,
        payload__action=ACTION,
        payload__payload__requestedMessage__in=VALUES.values(),
    )
    if asked.exists():
        return False
    protocol = ChargerConnection.objects.filter(charger_id=charger_id).values_list("protocol", flat=True).first()
    is_201 = protocol == OcppVersion.V201
    place: Json = {"evse": {"id": evse_number}} if is_201 else {"connectorId": evse_number}
    wanted = VALUES[OcppVersion.V201 if is_201 else OcppVersion.V16]
    request_ocpp(charger_id, ACTION, {"requestedMessage": wanted, **place}, now + ANSWER_WITHIN)
    return True


def status_requests(protocol: str, evse_number: int, connector_numbers: list[int]) -> list[Json]:
    """TriggerMessage payloads. OCPP 2.0.1 asks for each connector of an EVSE (F06.FR.12)."""
    if protocol != OcppVersion.V201:
        return [{"requestedMessage": "StatusNotification", "connectorId": evse_number}]
    return [
        {"requestedMessage": "StatusNotification", "evse": {"id": evse_number, "connectorId": number}}
        for number in connector_numbers
    ]
