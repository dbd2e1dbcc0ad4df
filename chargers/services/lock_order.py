"""Row locks are taken in one order, so that no two transactions wait for each other:

charger -> session -> call -> (EVSE, in infrastructure). SQLite locks the whole database instead.
"""

from collections.abc import Iterable

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from infrastructure.models import Charger


def lock_charger(charger_id: int) -> None:
    """Starts of one charger take turns."""
    # Not FOR UPDATE: rows that refer to the charger may be inserted meanwhile.
    list(Charger.objects.select_for_update(no_key=True).filter(pk=charger_id).order_by().values_list("pk"))


def lock_free_chargers(charger_ids: Iterable[int]) -> set[int]:
    """`lock_charger` of those of them that nobody has locked; which."""
    chargers = Charger.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=charger_ids)
    return set(chargers.order_by("pk").values_list("pk", flat=True))


def lock_connection(charger_id: int) -> ChargerConnection | None:
    """`lock_charger`, and its connection; None if it never had one."""
    lock_charger(charger_id)
    return ChargerConnection.objects.filter(charger_id=charger_id).first()


def lock_session(session_id: int) -> ChargingSession | None:
    """The session as it is now, with its EVSE and tariff version."""
    sessions = ChargingSession.objects.select_related("connector__evse", "tariff_version")
    return sessions.select_for_update(no_key=True, of=("self",)).filter(pk=session_id).first()


def lock_free_sessions(session_ids: Iterable[int]) -> list[ChargingSession]:
    """As `lock_session`, those of them that nobody has locked: who holds one may wait for another of them."""
    sessions = ChargingSession.objects.select_related("connector__evse", "tariff_version").filter(pk__in=session_ids)
    return list(sessions.select_for_update(no_key=True, of=("self",), skip_locked=True).order_by("pk"))


def lock_call(call_id: int) -> OutgoingCall | None:
    return OutgoingCall.objects.select_for_update(no_key=True).filter(pk=call_id).first()
