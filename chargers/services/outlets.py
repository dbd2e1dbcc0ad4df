"""The status of EVSEs whose connectors a charger reports one by one (OCPP 2.0.1, part G)."""

from django.db import transaction

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, ConnectorStatus
from chargers.services import status as status_service
from chargers.services.events import StatusChanged
from chargers.services.numbers import is_number
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services.status import set_evse_status

OCCUPIED = "Occupied"
# Of several connectors the first of these words counts: one car takes the whole EVSE, one fault leaves the others.
PRECEDENCE = (OCCUPIED, "Reserved", "Available", "Unavailable", "Faulted")
IN_USE = (EVSEStatus.CHARGING, EVSEStatus.BLOCKED)


def record_connector_status(charger_id: int, connector_number: int, event: StatusChanged) -> None:
    """`event.status` is a ConnectorStatusEnumType. EVSEs that are not configured, numbers that no connector has
    and unknown words are passed over."""
    evse = EVSE.objects.filter(charger_id=charger_id, number=event.evse_number).first()
    if evse is None or event.status not in PRECEDENCE or not is_number(connector_number):
        return
    with transaction.atomic():
        ConnectorStatus.objects.update_or_create(evse=evse, number=connector_number, defaults={"status": event.status})
        told = set(evse.connector_statuses.values_list("status", flat=True))
        word = next(word for word in PRECEDENCE if word in told)
        if word == OCCUPIED:
            set_evse_status(evse.pk, _of_occupied(evse))
        else:
            status_service.record_status(charger_id, StatusChanged(event.evse_number, word, event.at))


def _of_occupied(evse: EVSE) -> EVSEStatus:
    """A car before its session can still be paid for; one after it is in the way."""
    if ChargingSession.objects.filter(connector__evse=evse, status=SessionStatus.ACTIVE, over_since=None).exists():
        return EVSEStatus.CHARGING
    return EVSEStatus.BLOCKED if evse.status in IN_USE else EVSEStatus.AVAILABLE
