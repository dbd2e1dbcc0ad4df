"""Prometheus metrics: requests of this process, and the state of the installation as its rows tell it."""

from collections.abc import Iterable
from datetime import timedelta
from hmac import compare_digest

from django.conf import settings
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chargers.choices import CallState, SessionStatus, StopReason
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from infrastructure.models import OutboxEvent
from infrastructure.services import pulse
from roaming.choices import PushState
from roaming.models import Push

RUNNING = (SessionStatus.PENDING, SessionStatus.ACTIVE, SessionStatus.RESERVATION)
# What ended within this time counts; a monitor that asks every minute sees each end many times over.
LATELY = timedelta(hours=1)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For `Authorization: Bearer METRICS_TOKEN`; without that setting there is nothing here."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return HttpResponse("Send METRICS_TOKEN as bearer token.", status=401, content_type="text/plain")
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class Installation(Collector):
    """Gauges read from rows when they are asked for: the same from every process, none lost in a restart."""

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not touch the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        yield from _pushes()
        yield _gauge("plugtill_connected_chargers", "Chargers with an open socket.", _connected())
        yield _gauge("plugtill_open_calls", "Calls to chargers without an answer yet.", _open_calls())
        yield _gauge("plugtill_outbox_waiting", "Events that no consumer has worked through.", _outbox())
        yield _sessions()
        yield _gauge(
            "plugtill_limit_stops_last_hour", "Sessions that we ended at the pre-authorised amount.", _limit_stops()
        )
        yield _pulses()


def _pushes() -> Iterable[Metric]:
    pushes = GaugeMetricFamily("plugtill_pushes", "Pushes by platform and state.", labels=["platform", "state"])
    age = GaugeMetricFamily("plugtill_oldest_unsent_push_seconds", "Age of the oldest open push.", labels=["platform"])
    rows = Push.objects.values("platform__code", "state").annotate(n=Count("pk"), at=Min("created_at")).order_by()
    oldest: dict[str, float] = {}
    for row in rows:
        code = row["platform__code"]
        pushes.add_metric([code, row["state"]], row["n"])
        if row["state"] in (PushState.PENDING, PushState.IN_FLIGHT):
            oldest[code] = max(oldest.get(code, 0), (timezone.now() - row["at"]).total_seconds())
    for code, seconds in oldest.items():
        age.add_metric([code], seconds)
    yield pushes
    yield age


def _pulses() -> Metric:
    pulses = GaugeMetricFamily(
        "plugtill_background_pulse_timestamp_seconds",
        "When beat and the worker of a queue were last seen at work; 0: never.",
        labels=["queue"],
    )
    for queue in pulse.QUEUES:
        at = pulse.last_pulse(queue)
        pulses.add_metric([queue], at.timestamp() if at else 0)
    return pulses


def _sessions() -> Metric:
    sessions = GaugeMetricFamily("plugtill_sessions", "Sessions that are not over, by status.", labels=["status"])
    found = ChargingSession.objects.filter(status__in=RUNNING).values_list("status").annotate(n=Count("pk")).order_by()
    counts = dict(found)
    for status in RUNNING:
        sessions.add_metric([status], counts.get(status, 0))
    return sessions


def _connected() -> int:
    return ChargerConnection.objects.exclude(channel_name="").count()


def _open_calls() -> int:
    return OutgoingCall.objects.exclude(state=CallState.DONE).count()


def _outbox() -> int:
    return OutboxEvent.objects.filter(processed_at=None).count()


def _limit_stops() -> int:
    return ChargingSession.objects.filter(
        stop_reason=StopReason.LIMIT, last_updated__gte=timezone.now() - LATELY
    ).count()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


REGISTRY.register(Installation())
