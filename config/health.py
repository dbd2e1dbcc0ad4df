"""Whether this process lives, and whether the installation can do its work."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.core.cache import cache
from django.db import connection
from django.db.models import Min
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from infrastructure.services import pulse
from roaming.choices import PushState
from roaming.models import Push

OPEN = (PushState.PENDING, PushState.IN_FLIGHT)

logger = logging.getLogger(__name__)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Says that this process answers; it asks nothing of the database, whose outage no restart would heal."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """503 while something is missing without which nothing can be sold or delivered, and says what.

    Names no partner and no version: load balancers and monitors read it without a password.
    """
    answers = {name: _answer(check) for name, check in CHECKS.items()}
    is_ready = all(answer == "ok" for answer in answers.values())
    told = {
        "status": "ok" if is_ready else "unavailable",
        "checks": answers,
        # For monitors; no reason to take this process out: the fault may be a partner's.
        "oldest_unsent_push_seconds": _oldest_unsent_push() if answers["database"] == "ok" else None,
    }
    return JsonResponse(told, status=200 if is_ready else 503)


def _answer(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:
        logger.warning("readiness: %s", error)
        return "does not answer"


def _oldest_unsent_push() -> int | None:
    oldest = Push.objects.filter(state__in=OPEN).aggregate(at=Min("created_at"))["at"]
    return None if oldest is None else (timezone.now() - oldest) // timedelta(seconds=1)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _cache() -> str:
    cache.get("readyz")
    return "ok"


def _pulse(queue: str) -> str:
    """Beat sends a pulse and a worker takes it: without one of them what that queue does stands still."""
    at = pulse.last_pulse(queue)
    if at is None:
        return "no pulse yet"
    age = timezone.now() - at
    return "ok" if age < pulse.LATE else f"no pulse for {age // timedelta(seconds=1)} s: is beat or the worker down?"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "cache": _cache,
    **{f"worker of {queue}": partial(_pulse, queue) for queue in pulse.QUEUES},
}
