from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from roaming.choices import PushState
from roaming.models.platform import RoamingPlatform


class Push(models.Model):
    """Something a platform must be told. At most one PENDING and one IN_FLIGHT row per object and platform.

    `body` null: built from the rows as they are when it is sent. `body` set: a frozen document sent as it is.
    `sequence`: a push waits for the first attempt of earlier ones of its platform and sequence that belong to
    another module (a tariff before the locations that refer to it, a session before its CDR).
    """

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="pushes")
    module = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80)
    sequence = models.CharField(max_length=80, blank=True)
    method = models.CharField(max_length=6, blank=True, help_text=_("Of the last attempt."))
    url = models.CharField(max_length=512, blank=True)
    body = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=as_choices(PushState), default=PushState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    give_up_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: kept until acknowledged."))
    last_error = models.TextField(blank=True)
    needs_operator = models.BooleanField(default=False)
    correlation_id = models.CharField(max_length=64, blank=True, help_text=_("Empty: each attempt has one of its own."))
    created_at = models.DateTimeField(default=timezone.now)
    position = models.BigIntegerField(
        default=0, help_text=_("Of the CDRs of one sequence those with lower ones go first.")
    )
    queued_at = models.DateTimeField(default=timezone.now, help_text=_("When it was last asked for."))
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=80, blank=True, help_text=_("The worker that sends it."))
    finished_at = models.DateTimeField(null=True, blank=True)

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    class Meta:
        verbose_name_plural = _("pushes")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                "platform",
                "module",
                "object_id",
                condition=Q(state="PENDING"),
                name="one_pending_push_per_object",
            ),
            models.UniqueConstraint(
                "platform",
                "module",
                "object_id",
                condition=Q(state="IN_FLIGHT"),
                name="one_push_in_flight_per_object",
            ),
        ]
        indexes = [
            models.Index("platform", "not_before", condition=Q(state="PENDING"), name="push_due"),
            models.Index("platform", "sequence", condition=Q(state="DROPPED"), name="push_dropped"),
            models.Index("platform", "sequence", condition=Q(state__in=["PENDING", "IN_FLIGHT"]), name="push_open"),
        ]

    def __str__(self) -> str:
        what = f"{self.module} {self.object_id}"
        return gettext("%(what)s to %(platform)s") % {"what": what, "platform": self.platform}
