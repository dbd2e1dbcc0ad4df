"""A charger's clock against ours: where in a session's time something belongs that a charger told.

Clocks are behind, ahead, reset to 1970 by a reboot and set right in mid-session, and what was told late, after an
outage, was true all the same. So a told time counts when it can be true; nothing happens before its session or in
the future. What cannot be true counts at the time it came.
"""

from datetime import datetime, timedelta

from chargers.choices import AuthMethod
from chargers.models import ChargingSession

# Clocks that are out by less do no harm: begin and end are out by the same.
LARGEST_CLOCK_ERROR = timedelta(minutes=5)
# Nothing told later than this after it happened: an older time is a wrong clock.
LONGEST_OUTAGE = timedelta(days=30)
# How much of a session a charger alone may tell, when our own clock was set back to before its start.
LONGEST_UNSEEN = timedelta(days=1)


def start_of(session: ChargingSession | None, told: datetime, now: datetime) -> datetime:
    """When a transaction began. One that we asked for did not begin before we asked."""
    earliest = now - LONGEST_OUTAGE
    if session is not None and session.auth_method == AuthMethod.COMMAND:
        asked_at = min(session.created_at, session.reserved_at or session.created_at)
        earliest = asked_at - LARGEST_CLOCK_ERROR
    return told if earliest <= told <= now else now


def place(session: ChargingSession, told: datetime, now: datetime) -> datetime | None:
    """A told time by our clock; None when neither the error that the clock had at the start nor none explains it.

    Needs a session that has started. One that began in our future shows that our clock was set back.
    """
    began, shown = session.started_at, session.told_started_at
    if began is None:
        return None
    latest = now if now >= began else began + LONGEST_UNSEEN
    candidates = [told]
    if shown is not None and shown != began:
        candidates.insert(0, told + (began - shown))
    return next((at for at in candidates if began <= at <= latest), None)


def place_status(session: ChargingSession, told: datetime, now: datetime) -> datetime:
    """Like `place`, of something that is no older than its session."""
    placed = place(session, told, now)
    if placed is not None or session.started_at is None:
        return placed or now
    is_just_before = timedelta(0) <= session.started_at - told <= LARGEST_CLOCK_ERROR
    return session.started_at if is_just_before else now
