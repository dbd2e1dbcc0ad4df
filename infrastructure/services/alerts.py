"""Alerts: what needs a person, told once per cause for as long as it lasts.

Who knows of a cause says what is wrong now (`settle`); what is not named any more has resolved itself. Telling people
is the work of `config.alerts`, in a process and at a time of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from infrastructure.batches import delete_in_batches
from infrastructure.choices import AlertState
from infrastructure.models import Alert

# What comes back so soon is the same trouble, of which people know already.
SAME_TROUBLE = timedelta(hours=1)
KEEP_RESOLVED = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong now. `cause` names it for as long as it lasts; `path` is the page in admin that helps;
    `operators` are the keys of all whom it concerns (none: superusers only)."""

    cause: str
    title: str
    text: str = ""
    path: str = ""
    operators: tuple[int, ...] = ()


def settle(source: str, findings: Iterable[Finding]) -> None:
    """Opens an alert for each finding that has none, and resolves those of `source` that are found no more."""
    found = {f"{source}:{finding.cause}"[:200]: finding for finding in findings}
    still_open = Alert.objects.filter(state=AlertState.OPEN, cause__startswith=f"{source}:")
    for cause in still_open.exclude(cause__in=found).values_list("cause", flat=True):
        _resolve(cause)
    for cause, finding in found.items():
        _open(cause, finding)


def _resolve(cause: str) -> None:
    now = timezone.now()
    Alert.objects.filter(cause=cause, state=AlertState.OPEN).update(state=AlertState.RESOLVED, resolved_at=now)


def _open(cause: str, finding: Finding) -> None:
    now = timezone.now()
    values = {"title": finding.title[:200], "text": finding.text, "path": finding.path[:255], "seen_at": now}
    if Alert.objects.filter(cause=cause, state=AlertState.OPEN).update(**values):
        return
    try:
        with transaction.atomic():
            recent = Alert.objects.filter(cause=cause, resolved_at__gt=now - SAME_TROUBLE).order_by("-pk").first()
            if recent is not None:
                Alert.objects.filter(pk=recent.pk).update(**values, state=AlertState.OPEN, resolved_at=None)
                return
            alert = Alert.objects.create(cause=cause, opened_at=now, **values)
            alert.operators.set(finding.operators)
    except IntegrityError:
        return  # another process found it at the same moment


def delete_old() -> None:
    """Forgets what was resolved three months ago."""
    old = Alert.objects.filter(state=AlertState.RESOLVED, resolved_at__lt=timezone.now() - KEEP_RESOLVED)
    delete_in_batches(old)
