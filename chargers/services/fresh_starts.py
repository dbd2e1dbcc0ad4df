"""Whether anything that we know could stand behind a StartTransaction: mostly nothing does, and one query says so.

Written out as SQL: Django needs longer to put such a query together than a database to answer it.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.db import connection

from chargers.services.events import TransactionStarted

# What runs or is awaited at the charger, what began with this tag and register or was made for this tag by us, and
# what is reserved at the charger. More than what each of the closer looks finds, and never less.
_FRESH = """
WITH told (number, charger_id, id_tag, meter_start) AS (VALUES {rows})
SELECT number FROM told WHERE NOT EXISTS (
    SELECT 1 FROM chargers_chargingsession session
    JOIN infrastructure_connector connector ON connector.id = session.connector_id
    JOIN infrastructure_evse evse ON evse.id = connector.evse_id
    WHERE evse.charger_id = told.charger_id AND session.status IN ('PENDING', 'ACTIVE')
) AND NOT EXISTS (
    SELECT 1 FROM chargers_chargingsession session
    WHERE session.id_tag = told.id_tag AND (session.meter_start = told.meter_start OR session.auth_method = 'COMMAND')
) AND NOT EXISTS (
    SELECT 1 FROM chargers_reservation reservation
    JOIN chargers_chargingsession session ON session.id = reservation.session_id
    WHERE reservation.charger_id = told.charger_id AND session.status = 'RESERVATION'
)
"""


def is_fresh(charger_id: int, event: TransactionStarted) -> bool:
    """No session waits for this start, has begun with it, is forgotten at this charger or reserved there, and its tag
    was not made up by us. False says nothing: look closer."""
    return bool(find_fresh({0: (charger_id, event)}))


def find_fresh(told: Mapping[int, tuple[int, TransactionStarted]]) -> set[int]:
    """The numbers of those starts, each of a charger by its id, that are fresh."""
    if not told:
        return set()
    with connection.cursor() as cursor:
        values: list[int | str | Decimal | None] = []
        for number, (charger_id, event) in told.items():
            meter_start = connection.ops.adapt_decimalfield_value(event.meter_start, 14, 3)
            values += [number, charger_id, event.id_tag, meter_start]
        cursor.execute(_FRESH.format(rows=", ".join(["(%s, %s, %s, %s)"] * len(told))), values)
        return {number for (number,) in cursor.fetchall()}
