"""Row locks are taken in one order, so that no two transactions wait for each other:

charger -> session -> call -> (EVSE, in infrastructure). SQLite locks the whole database instead.
"""

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from infrastructure.models import Charger


def lock_charger(charger_id: int) -> ChargerConnection | None:
    """Starts of one charger take turns. Returns its connection, None if it never had one."""
    # Not FOR UPDATE: rows that refer to the charger may be inserted meanwhile.
    Charger.objects.select_for_update(no_key=True).values_list("pk").filter(pk=charger_id).first()
    return ChargerConnection.objects.filter(charger_id=charger_id).first()


def lock_session(session_id: int) -> ChargingSession | None:
    """The session as it is now, with its EVSE and tariff version."""
    sessions = ChargingSession.objects.select_related("connector__evse", "tariff_version")
    return sessions.select_for_update(no_key=True, of=("self",)).filter(pk=session_id).first()


def lock_call(call_id: int) -> OutgoingCall | None:
    return OutgoingCall.objects.select_for_update(no_key=True).filter(pk=call_id).first()
