from django.db import transaction
from django.utils import timezone

from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services import masterdata


def set_evse_status(evse_id: int, status: EVSEStatus) -> bool:
    """Writes a status change and tells of it. False when the EVSE has it already or does not exist."""
    with transaction.atomic():
        # The condition is in the UPDATE: of two equal reports at once only one counts as a change.
        is_changed = (
            EVSE.objects.filter(pk=evse_id).exclude(status=status).update(status=status, last_updated=timezone.now())
        )
        if is_changed:
            location_id = EVSE.objects.values_list("charger__location_id", flat=True).get(pk=evse_id)
            masterdata.touch_locations([location_id])
    return bool(is_changed)
