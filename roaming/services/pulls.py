"""Fetching what partners own: everything after a registration, then what changed, on a schedule.

Other apps add their lists to `registry.pull_sources`. Push is the fast way, this is the one that cannot be missed.
"""

import logging
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from infrastructure.wakeups import wake_task
from roaming.choices import PlatformState
from roaming.models import Pull, RoamingPlatform
from roaming.ocpi.errors import OcpiError, PeerError
from roaming.ocpi.objects import validate
from roaming.ocpi.types import format_datetime, parse_datetime
from roaming.services.credentials import client_for
from roaming.services.registry import PullSource, registry

logger = logging.getLogger(__name__)

# Peers' clocks and late commits: the bound is inclusive, and what comes twice changes nothing.
OVERLAP = timedelta(minutes=5)
RETRY_AFTER = timedelta(minutes=5)
CLAIM_LIFETIME = timedelta(minutes=30)
REPORTED_PROBLEMS = 50
SPLAY = 0.1


@dataclass(slots=True)
class Outcome:
    """What a run brought; `newest` is the latest `last_updated` seen, `problems` names what was skipped."""

    received: int = 0
    newest: datetime | None = None
    problems: list[str] = field(default_factory=list)


def start_pulls(platform_id: int) -> None:
    """For the moment after a registration: every list that this kind of platform owns is fetched whole."""
    platform = RoamingPlatform.objects.get(pk=platform_id)
    for source in registry.pull_sources.values():
        if platform.type in source.platform_types:
            with transaction.atomic():
                pull, _ = Pull.objects.update_or_create(
                    platform=platform, source=source.name, defaults={"high_water": None, "next_run_at": timezone.now()}
                )
                wake_task("roaming.tasks.run_pull", pull.pk)


def wake_due() -> None:
    """Starts what is due, and again what a dead worker left behind."""
    now = timezone.now()
    Pull.objects.filter(claimed_at__lt=now - CLAIM_LIFETIME).update(claimed_at=None)
    due = Pull.objects.filter(
        is_enabled=True, claimed_at=None, next_run_at__lte=now, platform__state=PlatformState.REGISTERED
    )
    for pull_id in due.values_list("pk", flat=True):
        wake_task("roaming.tasks.run_pull", pull_id)


def request_pull(pull: Pull, *, whole: bool) -> None:
    """Staff wants it now; `whole` forgets what was seen so far."""
    changes: dict[str, Any] = {"next_run_at": timezone.now(), **({"high_water": None} if whole else {})}
    with transaction.atomic():
        Pull.objects.filter(pk=pull.pk).update(**changes)
        wake_task("roaming.tasks.run_pull", pull.pk)


def run(pull_id: int) -> None:
    """One run, if it is due and nobody else runs it. Never raises for a failing partner."""
    now = timezone.now()
    due = Pull.objects.filter(
        pk=pull_id, is_enabled=True, claimed_at=None, next_run_at__lte=now, platform__state=PlatformState.REGISTERED
    )
    if not due.update(claimed_at=now):
        return
    pull = Pull.objects.select_related("platform").get(pk=pull_id)
    outcome, error = Outcome(), ""
    try:
        _fetch(pull, outcome)
    except PeerError as refusal:
        error = refusal.detail
        logger.warning("%s failed: %s", pull, error)
    except Exception as fault:
        error = f"Plugtill could not store what it received: {fault}"
        logger.exception("%s failed", pull)
    _finish(pull, now, outcome, error)


def _fetch(pull: Pull, outcome: Outcome) -> None:
    """Raises PeerError. What came before is stored then, and the next run asks from the same bound again."""
    source, platform = registry.pull_sources[pull.source], pull.platform
    url = source.url(platform)
    if url is None:
        raise PeerError(f"{platform} offers no {source.name}.", permanent=True)
    began = timezone.now()
    params = {"date_from": format_datetime(pull.high_water - OVERLAP)} if pull.high_water else None
    with client_for(platform) as client:
        for number, item in enumerate(client.get_pages(url, params), start=1):
            _receive(source, platform, number, item, outcome)
    if pull.high_water is None and outcome.received and not outcome.problems and source.after_full:
        source.after_full(platform, began)


def _receive(source: PullSource, platform: RoamingPlatform, number: int, item: Any, outcome: Outcome) -> None:
    """One bad object must not hide the good ones behind it."""
    try:
        validate(source.type_name, item)
        source.receive(platform, item)
    except OcpiError as error:
        outcome.problems.append(f"Object {number} of the list: {error.message}")
        return
    outcome.received += 1
    if item.get("last_updated"):
        changed = parse_datetime(item["last_updated"])
        outcome.newest = changed if outcome.newest is None else max(outcome.newest, changed)


def _finish(pull: Pull, began: datetime, outcome: Outcome, error: str) -> None:
    interval = timedelta(minutes=pull.interval_minutes)
    # Partners advise against everybody asking at the full hour.
    wait = min(RETRY_AFTER, interval) if error else interval * random.uniform(1 - SPLAY, 1 + SPLAY)
    changes: dict[str, Any] = {}
    if not error and outcome.newest is not None:
        # A wrong clock at the partner must not make us skip what it changes from now on.
        changes["high_water"] = min(max(outcome.newest, pull.high_water or outcome.newest), began)
    Pull.objects.filter(pk=pull.pk).update(
        claimed_at=None,
        next_run_at=timezone.now() + wait,
        last_run_at=began,
        last_received=outcome.received,
        last_problems=outcome.problems[:REPORTED_PROBLEMS],
        last_error=error,
        **changes,
    )
