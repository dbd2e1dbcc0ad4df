"""Fetching what partners own: everything after a registration, then what changed, on a schedule.

Other apps add their lists to `registry.pull_sources`. Push is the fast way, this is the one that cannot be missed.
"""

import logging
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from infrastructure.wakeups import wake_task
from roaming.choices import PlatformState
from roaming.models import Pull, RoamingPlatform
from roaming.ocpi.client import MAX_PAGES
from roaming.ocpi.errors import OcpiError, PeerError, PeerGarbage, PeerRefused
from roaming.ocpi.objects import validate
from roaming.ocpi.transport import keeps_token_safe
from roaming.ocpi.types import format_datetime, parse_datetime
from roaming.services import circuit
from roaming.services.peers import client_for
from roaming.services.push_claims import on_their_way, share, take_turns
from roaming.services.push_outcomes import platform_answered
from roaming.services.registry import PullSource, registry

logger = logging.getLogger(__name__)

# Peers' clocks and late commits: the bound is inclusive, and what comes twice changes nothing.
OVERLAP = timedelta(minutes=5)
RETRY_AFTER = timedelta(minutes=5)
# A run ends with the page during which this is over; another goes on from there, after what others wait for.
RUN_SECONDS = 60.0
# Pages go by position: after a longer break the list has changed too much to go on in its midst.
LONGEST_FETCH = timedelta(hours=6)
CLAIM_LIFETIME = timedelta(minutes=10)
REPORTED_PROBLEMS = 50
SPLAY = 0.1
RUN = "roaming.tasks.run_pull"


class NotOffered(PeerError):
    """Nothing that anybody must mend: partners need not have every list."""


@dataclass(slots=True)
class Outcome:
    """What a fetch has brought so far; `newest` is the latest `last_updated` seen, `problems` names what was
    skipped. `following` is the page to go on with; "" before the first and after the last."""

    began: datetime
    received: int = 0
    newest: datetime | None = None
    problems: list[str] = field(default_factory=list)
    seen: int = 0
    pages: int = 0
    following: str = ""
    is_offered: bool = True


def start_pulls(platform_id: int) -> None:
    """For the moment after a registration: every list that this kind of platform owns is fetched whole."""
    platform = RoamingPlatform.objects.get(pk=platform_id)
    for source in registry.pull_sources.values():
        if platform.type in source.platform_types:
            with transaction.atomic():
                pull, _ = Pull.objects.update_or_create(
                    platform=platform, source=source.name, defaults=_anew(whole=True)
                )
                wake_task(RUN, pull.pk)


def _anew(*, whole: bool) -> dict[str, Any]:
    return {"next_run_at": timezone.now(), **({"high_water": None, "progress": None} if whole else {})}


def wake_due() -> None:
    """Starts what is due, and again what a dead worker left behind."""
    now = timezone.now()
    Pull.objects.filter(claimed_at__lt=now - CLAIM_LIFETIME).update(claimed_at=None)
    due = Pull.objects.filter(
        is_enabled=True, claimed_at=None, next_run_at__lte=now, platform__state=PlatformState.REGISTERED
    )
    for pull_id in due.values_list("pk", flat=True):
        wake_task(RUN, pull_id)


def request_pull(pull: Pull, *, whole: bool) -> None:
    """Staff wants it now; `whole` forgets what was seen so far."""
    with transaction.atomic():
        Pull.objects.filter(pk=pull.pk).update(**_anew(whole=whole))
        wake_task(RUN, pull.pk)


def run(pull_id: int) -> None:
    """One run, if it is due and nobody else runs it. Never raises for a failing partner."""
    now = timezone.now()
    if not _claim(pull_id, now):
        return
    pull = Pull.objects.select_related("platform").get(pk=pull_id)
    outcome, error = _resumed(pull, now) or Outcome(now), ""
    try:
        _fetch(pull, outcome)
    except NotOffered as nothing:
        outcome.is_offered, error = False, nothing.detail
        circuit.leave(pull.platform)
    except PeerError as refusal:
        error = refusal.detail
        logger.warning("%s failed: %s", pull, error)
        _note_refusal(pull, outcome, refusal)
    except Exception as fault:
        error = f"Plugtill could not store what it received: {fault}"
        logger.exception("%s failed", pull)
        circuit.leave(pull.platform)
    _finish(pull, now, outcome, error)


def _claim(pull_id: int, now: datetime) -> bool:
    """A partner's share of the workers holds for pulls, too, and the last of it is for pushes."""
    due = Pull.objects.filter(
        circuit.closed_or_due(now),
        pk=pull_id,
        is_enabled=True,
        claimed_at=None,
        next_run_at__lte=now,
        platform__state=PlatformState.REGISTERED,
    )
    with transaction.atomic():
        platform_id = due.order_by().values_list("platform_id", flat=True).first()
        if platform_id is None:
            return False
        take_turns(platform_id)
        if on_their_way(platform_id) >= max(1, share() - 1) or not due.update(claimed_at=now):
            return False
        if circuit.enter(platform_id, now):
            return True
        transaction.set_rollback(True)
    return False


def _note_refusal(pull: Pull, outcome: Outcome, refusal: PeerError) -> None:
    if refusal.permanent:
        outcome.following = ""  # the page may be what is wrong: the next run begins anew
    if circuit.concerns_all(refusal):
        circuit.note_failure(pull.platform, refusal)
    elif isinstance(refusal, PeerRefused):
        platform_answered(pull.platform)
    else:
        circuit.leave(pull.platform)


def _fetch(pull: Pull, outcome: Outcome) -> None:
    """Raises PeerError. What came before is stored then, and the next run goes on with the page that failed."""
    source, platform = registry.pull_sources[pull.source], pull.platform
    url = source.url(platform)
    if url is None:
        raise NotOffered(f"{platform} does not offer {source.name}: its version details list no such address.")
    if outcome.following and not keeps_token_safe(url, outcome.following):
        outcome.following = ""  # the partner has moved meanwhile
    params = {"date_from": format_datetime(pull.high_water - OVERLAP)} if pull.high_water else None
    pages_of = (outcome.following, None) if outcome.following else (url, params)
    until = time.monotonic() + RUN_SECONDS
    with client_for(platform, routing=source.has_routing) as client:
        asked_at = timezone.now()
        for page in client.get_pages(*pages_of):
            if outcome.pages >= MAX_PAGES:
                raise PeerGarbage("The pages of the peer's list never end.")
            for item in page.objects:
                _receive(source, platform, item, outcome, asked_at)
            outcome.pages += 1
            outcome.following = page.following or ""
            if outcome.following and time.monotonic() > until:
                break
            asked_at = timezone.now()
    platform_answered(platform)
    is_whole = pull.high_water is None and not outcome.following
    if is_whole and outcome.received and not outcome.problems and source.after_full:
        source.after_full(platform, outcome.began)


def _receive(source: PullSource, platform: RoamingPlatform, item: Any, outcome: Outcome, asked_at: datetime) -> None:
    """One bad object must not hide the good ones behind it."""
    outcome.seen += 1
    try:
        validate(source.type_name, item)
        source.receive(platform, item, asked_at)
    except OcpiError as error:
        outcome.problems.append(f"Object {outcome.seen} of the list: {error.message}")
        return
    outcome.received += 1
    if item.get("last_updated"):
        changed = parse_datetime(item["last_updated"])
        outcome.newest = changed if outcome.newest is None else max(outcome.newest, changed)


def _finish(pull: Pull, now: datetime, outcome: Outcome, error: str) -> None:
    # Asked for anew during the run: that counts, not where this one ended.
    if Pull.objects.filter(pk=pull.pk, next_run_at__gt=now).update(claimed_at=None, last_run_at=now):
        wake_task(RUN, pull.pk)
        return
    is_over = not error and not outcome.following
    changes: dict[str, Any] = {}
    if is_over and outcome.newest is not None:
        # A wrong clock at the partner must not make us skip what it changes from now on.
        changes["high_water"] = min(max(outcome.newest, pull.high_water or outcome.newest), outcome.began)
    Pull.objects.filter(pk=pull.pk).update(
        claimed_at=None,
        next_run_at=timezone.now() + _wait(pull, outcome, error),
        last_run_at=now,
        last_received=outcome.received,
        last_problems=outcome.problems[:REPORTED_PROBLEMS],
        last_error=error,
        failures=pull.failures + 1 if error and outcome.is_offered else 0,
        progress=_progress(outcome) if outcome.following else None,
        **changes,
    )
    if not error and outcome.following:
        wake_task(RUN, pull.pk)


def _wait(pull: Pull, outcome: Outcome, error: str) -> timedelta:
    interval = timedelta(minutes=pull.interval_minutes)
    if error and outcome.is_offered:
        return min(RETRY_AFTER, interval)
    # Partners advise against everybody asking at the full hour.
    return timedelta(0) if outcome.following else interval * random.uniform(1 - SPLAY, 1 + SPLAY)


def _progress(outcome: Outcome) -> dict[str, Any]:
    return {
        "following": outcome.following,
        "began": outcome.began.isoformat(),
        "newest": outcome.newest.isoformat() if outcome.newest else None,
        "received": outcome.received,
        "problems": outcome.problems[:REPORTED_PROBLEMS],
        "seen": outcome.seen,
        "pages": outcome.pages,
    }


def _resumed(pull: Pull, now: datetime) -> Outcome | None:
    """A fetch that was left in its midst, unless that was too long ago."""
    if pull.progress is None:
        return None
    kept = dict(pull.progress)
    kept["began"] = datetime.fromisoformat(kept["began"])
    kept["newest"] = datetime.fromisoformat(kept["newest"]) if kept["newest"] else None
    outcome = Outcome(**kept)
    return outcome if now - outcome.began < LONGEST_FETCH else None
