from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from roaming.models.platform import RoamingPlatform


class Pull(models.Model):
    """A list that we fetch from a platform again and again: what changed since `high_water`, the newest
    `last_updated` that was seen. Empty: the whole list."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="pulls")
    source = models.CharField(max_length=40)
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text=_("Fetched on its schedule; otherwise only by hand.")
    )
    interval_minutes = models.PositiveIntegerField(
        default=240, validators=[MinValueValidator(5)], help_text=_("Minutes between two runs, for example 240.")
    )
    next_run_at = models.DateTimeField(default=timezone.now, help_text=_("For example now, to fetch at once."))
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    high_water = models.DateTimeField(null=True, blank=True, help_text=_("Empty: the next run fetches everything."))
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_received = models.PositiveIntegerField(default=0, editable=False)
    last_problems = models.JSONField(default=list, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text=_("In a row."))
    progress = models.JSONField(null=True, blank=True, editable=False, help_text=_("Of a fetch that goes on."))

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    class Meta:
        ordering = ["platform", "source"]
        constraints = [models.UniqueConstraint("platform", "source", name="one_pull_per_platform_and_source")]
        indexes = [models.Index("next_run_at", condition=models.Q(is_enabled=True), name="pull_due")]

    def __str__(self) -> str:
        return gettext("%(source)s from %(platform)s") % {"source": self.source, "platform": self.platform}
