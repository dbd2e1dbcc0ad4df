"""New charge points, as programs create them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from infrastructure.models import EVSE, Charger, Connector
from infrastructure.services import masterdata


def ocpp_address(charger: Charger) -> str:
    """Where the charger connects."""
    return f"{settings.PUBLIC_URL.replace('http', 'ws', 1)}/ocpp/{charger.identity}"


def create_charge_point(charger: Charger, evses: Sequence[dict[str, Any]]) -> Charger:
    """Writes a charger with its EVSEs, each {"number", "evse_id", "connectors": [fields of Connector]}.

    Raises ValidationError; then nothing was written.
    """
    with masterdata.one_change():
        _write(charger)
        for number, fields in enumerate(evses, start=1):
            own = {name: value for name, value in fields.items() if name != "connectors"}
            evse = EVSE(charger=charger, **{"number": number, **own})
            _write(evse)
            for place, connector in enumerate(fields.get("connectors", ()), start=1):
                _write(Connector(evse=evse, **{"number": place, **connector}))
    return charger


def _write(obj: Charger | EVSE | Connector) -> None:
    obj.full_clean()
    masterdata.save(obj)
