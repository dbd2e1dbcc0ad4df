"""What in our dealings with partners needs a person, read from the rows as they are now: nothing has to be reported
by those who are busy delivering, and nothing can be missed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min
from django.urls import reverse
from django.utils import timezone

from infrastructure.models import Operator
from infrastructure.services import alerts
from infrastructure.services.alerts import Finding
from roaming.choices import Module, PlatformState, PushState
from roaming.models import Document, Pull, Push, RoamingPlatform
from roaming.services import circuit

SOURCE = "partners"
# A pull is tried again every five minutes.
FAILED_PULLS = 3
OPEN = (PushState.PENDING, PushState.IN_FLIGHT)
UNAUTHORIZED = 401


def look() -> None:
    """Opens and resolves the alerts of all partners."""
    now = timezone.now()
    alerts.settle(SOURCE, [*_unreachable(), *_refused(), *_unacknowledged(now), *_handshakes(), *_pulls(), *_unfit()])


def _unreachable() -> Iterator[Finding]:
    for one in circuit.open_circuits():
        platform = one.platform
        if one.last_http_status == UNAUTHORIZED:
            title = f"{platform} does not accept our token"
            text = "Choose “Update credentials” on its page, or ask the partner what has changed. "
        else:
            title = f"{platform} cannot be reached"
            text = "What it must be told waits, and goes out by itself once it answers. "
        yield _finding(f"unreachable:{platform.pk}", platform, title, f"{text}Last answer: {one.last_error}")


def _refused() -> Iterator[Finding]:
    rows = Push.objects.filter(needs_operator=True).order_by()
    for platform, row in _by_platform(rows.values("platform", "module").annotate(number=Count("pk"), last=Max("pk"))):
        reason = Push.objects.values_list("last_error", flat=True).get(pk=row["last"])
        yield _finding(
            f"refused:{platform.pk}:{row['module']}",
            platform,
            f"{platform} refuses {row['module']} of ours ({row['number']})",
            f"Correct the cause and send them again, or discard them. Last answer: {reason}",
            f"{reverse('admin:roaming_push_changelist')}?needs_operator__exact=1&module={row['module']}",
        )


def _unacknowledged(now: datetime) -> Iterator[Finding]:
    late = Push.objects.filter(
        module=Module.CDRS, state__in=OPEN, created_at__lt=now - settings.ALERT_CDR_AFTER, needs_operator=False
    ).order_by()
    counted = late.values("platform").annotate(number=Count("pk"), oldest=Min("created_at"))
    for platform, row in _by_platform(counted):
        yield _finding(
            f"cdrs:{platform.pk}",
            platform,
            f"{platform} has not confirmed {row['number']} CDRs",
            f"The oldest waits since {row['oldest']:%Y-%m-%d %H:%M} UTC. They stay queued until it does: nobody is "
            "paid before.",
            f"{reverse('admin:roaming_push_changelist')}?module={Module.CDRS}&state__exact={PushState.PENDING}",
        )


def _handshakes() -> Iterator[Finding]:
    for platform in RoamingPlatform.objects.exclude(last_error=""):
        yield _finding(
            f"credentials:{platform.pk}", platform, f"Credentials with {platform} failed", platform.last_error
        )


def _pulls() -> Iterator[Finding]:
    failing = Pull.objects.filter(
        is_enabled=True, failures__gte=FAILED_PULLS, platform__state=PlatformState.REGISTERED
    ).exclude(platform__in=circuit.open_circuits().values("platform"))  # told already
    for pull in failing.select_related("platform"):
        yield _finding(
            f"pull:{pull.pk}",
            pull.platform,
            f"{pull.source.capitalize()} of {pull.platform} cannot be fetched",
            pull.last_error,
            reverse("admin:roaming_pull_change", args=[pull.pk]),
        )


def _unfit() -> Iterator[Finding]:
    rows = Document.objects.exclude(problem="").order_by()
    for platform, row in _by_platform(rows.values("platform", "module").annotate(number=Count("pk"), last=Max("pk"))):
        reason = Document.objects.values_list("problem", flat=True).get(pk=row["last"])
        yield _finding(
            f"unfit:{platform.pk}:{row['module']}",
            platform,
            f"{row['number']} {row['module']} cannot be sent to {platform}",
            f"OCPI does not allow what they hold: correct it where it was entered. {reason}",
            f"{reverse('admin:roaming_document_changelist')}?problem__isempty=0&module={row['module']}",
        )


def _by_platform(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[RoamingPlatform, Mapping[str, Any]]]:
    counted = list(rows)
    platforms = RoamingPlatform.objects.in_bulk({row["platform"] for row in counted})
    for row in counted:
        yield platforms[row["platform"]], row


def _finding(cause: str, platform: RoamingPlatform, title: str, text: str, path: str = "") -> Finding:
    operators = Operator.objects.filter(roaming_profiles__platforms=platform).distinct()
    path = path or reverse("admin:roaming_roamingplatform_change", args=[platform.pk])
    return Finding(cause, title, text, path, tuple(operators.values_list("pk", flat=True)))
