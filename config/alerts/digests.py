"""One message for all that is new, by every channel, and each of them delivered for itself.

A digest is a row, frozen in the transaction that notes its alerts as told: no alert is told twice, and none is lost
with a process or while a mail server is away.
"""

import logging
import random
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from config.alerts import channels
from infrastructure.batches import delete_in_batches
from infrastructure.choices import AlertChannel, AlertState, DigestState
from infrastructure.models import Alert, AlertDigest

logger = logging.getLogger(__name__)

# What resolves itself so soon needed nobody; what else comes up meanwhile goes into the same message.
SETTLING = timedelta(seconds=60)
LONGEST_BACKOFF = timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(days=1)
CLAIM_LIFETIME = timedelta(minutes=5)
KEEP = timedelta(days=90)


def send_alerts() -> None:
    """Writes the digest that is due, if any, and delivers what waits. Never raises for a failing channel."""
    write_digest(timezone.now())
    for digest_id in _due(timezone.now()):
        deliver(digest_id)


def active_channels() -> list[AlertChannel]:
    chosen = ((AlertChannel.EMAIL, settings.ALERT_EMAILS), (AlertChannel.WEBHOOK, settings.ALERT_WEBHOOK_URL))
    return [channel for channel, target in chosen if target]


def write_digest(now: datetime) -> None:
    """At most one in `settings.ALERT_INTERVAL`, of what is open and was in none."""
    with transaction.atomic():
        untold = Alert.objects.filter(state=AlertState.OPEN, notified_at=None, opened_at__lte=now - SETTLING)
        alerts = list(untold.select_for_update(of=("self",)).order_by("opened_at", "pk"))
        if not alerts or AlertDigest.objects.filter(created_at__gt=now - settings.ALERT_INTERVAL).exists():
            return
        untold.filter(pk__in=[alert.pk for alert in alerts]).update(notified_at=now)
        for channel in active_channels():
            AlertDigest.objects.create(channel=channel, subject=_subject(alerts), body=_body(alerts), created_at=now)


def _subject(alerts: list[Alert]) -> str:
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return f"Plugtill: {alerts[0].title[:150]}{more}"


def _body(alerts: list[Alert]) -> list[dict[str, Any]]:
    return [
        {
            "title": alert.title,
            "text": alert.text,
            "url": f"{settings.PUBLIC_URL}{alert.path}" if alert.path else "",
            "since": alert.opened_at.isoformat(timespec="seconds"),
        }
        for alert in alerts
    ]


def _due(now: datetime) -> list[int]:
    AlertDigest.objects.filter(state=DigestState.IN_FLIGHT, claimed_at__lt=now - CLAIM_LIFETIME).update(
        state=DigestState.PENDING
    )
    due = AlertDigest.objects.filter(state=DigestState.PENDING, not_before__lte=now)
    return list(due.order_by("pk").values_list("pk", flat=True)[:20])


def deliver(digest_id: int) -> None:
    """Sends one digest unless somebody else does."""
    waiting = AlertDigest.objects.filter(pk=digest_id, state=DigestState.PENDING)
    if not waiting.update(state=DigestState.IN_FLIGHT, claimed_at=timezone.now()):
        return
    digest = AlertDigest.objects.get(pk=digest_id)
    if not connection.in_atomic_block:
        connection.close()  # a mail server may take its time
    try:
        channels.SENDERS[AlertChannel(digest.channel)](digest)
    except Exception as error:  # whatever a mail server or a library says: it is tried again
        _failed(digest, error)
    else:
        AlertDigest.objects.filter(pk=digest.pk).update(
            state=DigestState.DONE, attempts=digest.attempts + 1, finished_at=timezone.now(), last_error=""
        )


def _failed(digest: AlertDigest, error: Exception) -> None:
    now = timezone.now()
    logger.warning("alerts could not be sent by %s: %s", digest.channel, error)
    is_over = now - digest.created_at > GIVE_UP_AFTER
    pause = min(timedelta(seconds=30) * 2 ** min(digest.attempts, 10), LONGEST_BACKOFF) * random.uniform(0.8, 1.2)
    AlertDigest.objects.filter(pk=digest.pk).update(
        state=DigestState.GIVEN_UP if is_over else DigestState.PENDING,
        attempts=digest.attempts + 1,
        not_before=now + pause,
        finished_at=now if is_over else None,
        last_error=f"{type(error).__name__}: {error}"[:1000],
    )


def delete_old() -> None:
    delete_in_batches(AlertDigest.objects.filter(finished_at__lt=timezone.now() - KEEP))
