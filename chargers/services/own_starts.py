"""Starts with cards of the operator's own staff and fleet, of several chargers in one transaction.

Nobody has to be asked for them, and nothing waits for them: whatever else a StartTransaction may be is looked at by
itself.
"""

from collections.abc import Mapping, Sequence

from django.db.models import CharField
from django.db.models.functions import Cast

from chargers.models import ChargingSession
from chargers.services import id_tokens, sessions
from chargers.services.events import TransactionStarted
from chargers.services.fresh_starts import find_fresh
from chargers.services.lock_order import lock_free_chargers
from chargers.services.sessions import StartAnswer
from chargers.services.together import take_together
from infrastructure import outbox

Told = tuple[int, TransactionStarted]


def start_sessions(told: Sequence[Told]) -> Mapping[int, StartAnswer | None]:
    """Begins the sessions of those that it can, told by chargers by their id; None: ask who stands behind it
    (`authorize.permit_start`). Raises OperationalError when there is no database."""
    begun = take_together(told, _start_together) if len(told) > 1 else {}
    return {number: begun.get(number) for number in range(len(told))}


def _start_together(told: Sequence[Told]) -> dict[int, StartAnswer | None]:
    first: dict[int, int] = {}
    for number, (charger_id, _) in enumerate(told):
        first.setdefault(charger_id, number)
    here = {first[charger_id]: told[first[charger_id]] for charger_id in lock_free_chargers(first)}
    fresh = {number: here[number] for number in find_fresh(here)}
    begun = {}
    for number, (parent_id_tag, start) in id_tokens.find_starts(fresh).items():
        charger_id, event = fresh[number]
        sessions.warn_of_clock(charger_id, event.at)
        begun[number] = sessions.permitted(event.id_tag, parent_id_tag, start)
        sessions.set_start(begun[number], event)
    created = [session.pk for session in ChargingSession.objects.bulk_create(begun.values())]
    ChargingSession.objects.filter(pk__in=created).update(transaction_id=Cast("pk", CharField(max_length=36)))
    outbox.record("session", *created)
    return {number: sessions.answer(session) for number, session in begun.items()}
