"""Asking a charger that has come back how it is: after a lost link it need not boot, nor tell its status again."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from chargers.choices import OcppVersion
from chargers.models import ChargerConnection
from chargers.services.outgoing import request_ocpp
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE

Json = dict[str, Any]

ACTION = "TriggerMessage"
# Short: a driver's start must not wait behind a charger that does not know this request.
ANSWER_WITHIN = timedelta(seconds=10)


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


def status_requests(protocol: str, evse_number: int, connector_numbers: list[int]) -> list[Json]:
    """TriggerMessage payloads. OCPP 2.0.1 asks for each connector of an EVSE (F06.FR.12)."""
    if protocol != OcppVersion.V201:
        return [{"requestedMessage": "StatusNotification", "connectorId": evse_number}]
    return [
        {"requestedMessage": "StatusNotification", "evse": {"id": evse_number, "connectorId": number}}
        for number in connector_numbers
    ]
