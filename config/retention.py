"""What is forgotten when: every table that grows and that no job of its app keeps short already.

Money is not in it: sessions, CDRs, tariff versions, invoices and advices are kept, because tax law asks for them
for years, and so is what they point at.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Model, Q
from django.utils import timezone

from chargers.choices import CallState
from chargers.models import MeterSample, OutgoingCall
from infrastructure.batches import delete_in_batches
from infrastructure.history import History
from infrastructure.models import Act
from infrastructure.services import audit
from roaming.models import Command, ProfileRequest

AT_ONCE = 500

logger = logging.getLogger(__name__)


class Rule(NamedTuple):
    """Rows of `model` whose `column` is more than `days` ago (0: kept for ever), as far as `only` allows."""

    model: type[Model]
    column: str
    days: int
    only: Q = Q()


def rules() -> list[Rule]:
    calls, audited, logins = settings.CALL_DAYS, settings.AUDIT_DAYS, settings.LOGIN_LOG_DAYS
    return [
        Rule(OutgoingCall, "created_at", calls, Q(state=CallState.DONE)),
        Rule(Command, "received_at", calls),
        Rule(ProfileRequest, "received_at", calls),
        Rule(MeterSample, "at", settings.METER_VALUE_DAYS, Q(session__ended_at__isnull=False)),
        Rule(Act, "at", audited),
        Rule(LogEntry, "action_time", audited),
        *(Rule(table, "history_date", audited) for table in audit.histories().values()),
        *(Rule(model, "attempt_time", logins) for model in (AccessAttempt, AccessFailureLog, AccessLog)),
    ]


def forget_all() -> None:
    now = timezone.now()
    for rule in rules():
        gone = forget(rule, now) if rule.days else 0
        if gone:
            logger.info("forgot %s rows of %s that were older than %s days", gone, rule.model.__name__, rule.days)
    delete_in_batches(Session.objects.filter(expire_date__lt=now))


def forget(rule: Rule, now: datetime) -> int:
    """How many rows went. In small transactions and along the primary key, which grows with time: no table needs an
    index for this, and what is young is not read."""
    gone, rows = 0, rule.model._base_manager
    for pks in _old(rule, now - timedelta(days=rule.days)):
        pks = list(rows.filter(rule.only, pk__in=pks).values_list("pk", flat=True))
        for field in getattr(rule.model, "_history_m2m_fields", []):
            History.m2m_models[field]._base_manager.filter(history_id__in=pks).delete()
        rows.filter(pk__in=pks).delete()
        gone += len(pks)
    return gone


def _old(rule: Rule, limit: datetime) -> Iterator[list[int]]:
    last = 0
    while True:
        found = rule.model._base_manager.filter(pk__gt=last).order_by("pk").values_list("pk", rule.column)[:AT_ONCE]
        batch = list(found)
        old = [pk for pk, at in batch if at < limit]
        if old:
            yield old
        # A young row among old ones (a clock that was wrong, a row written late) is no end of them.
        if not old or len(batch) < AT_ONCE:
            return
        last = batch[-1][0]
