from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import AlertChannel, AlertState, DigestState, as_choices


class Alert(models.Model):
    """Something that a person must look at. One row per cause while it lasts; told once, however often it is seen.

    `notified_at` empty: in no digest yet.
    """

    cause = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=as_choices(AlertState), default=AlertState.OPEN)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True, help_text=_("What to do about it."))
    path = models.CharField("where", max_length=255, blank=True, help_text=_("The page in admin that helps."))
    operators = models.ManyToManyField("infrastructure.Operator", blank=True, related_name="alerts")
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text=_("When it was last found to be so."))
    resolved_at = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)

    operator_path = "operators"
    owned_through = "self"

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [models.UniqueConstraint("cause", condition=Q(state="OPEN"), name="one_open_alert_per_cause")]
        indexes = [
            models.Index("cause", "resolved_at", name="alert_cause"),
            models.Index("opened_at", condition=Q(notified_at=None), name="alert_untold"),
        ]

    def __str__(self) -> str:
        return self.title


class AlertDigest(models.Model):
    """A message about alerts, frozen when it is written, and its way out by one channel."""

    channel = models.CharField(max_length=7, choices=as_choices(AlertChannel))
    subject = models.CharField(max_length=200)
    body = models.JSONField()
    state = models.CharField(max_length=9, choices=as_choices(DigestState), default=DigestState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    operator_path = None

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index("not_before", condition=~Q(state__in=["DONE", "GIVEN_UP"]), name="digest_due")]

    def __str__(self) -> str:
        return self.subject
