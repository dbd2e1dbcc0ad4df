"""Master data that a running session stands on."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from chargers.choices import SessionStatus
from chargers.models import ChargingSession
from infrastructure.models import EVSE, Charger, Connector

_PATHS = {Charger: "connector__evse__charger", EVSE: "connector__evse", Connector: "connector"}
RUNNING = (SessionStatus.PENDING, SessionStatus.ACTIVE)


def refuse_while_charging(obj: Charger | EVSE | Connector) -> None:
    """Raises ValidationError: its price could no longer be told to the driver."""
    if ChargingSession.objects.filter(**{_PATHS[type(obj)]: obj.pk}, status__in=RUNNING).exists():
        raise ValidationError(_("A session is running at %(obj)s. Stop it first.") % {"obj": obj})
