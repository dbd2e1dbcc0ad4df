from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from roaming.models.push import Push


class PushAttempt(models.Model):
    """One try to send a push, and what came of it."""

    push = models.ForeignKey(Push, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    duration_ms = models.PositiveIntegerField("duration (ms)")
    method = models.CharField(max_length=6, blank=True)
    url = models.CharField("URL", max_length=512, blank=True)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, help_text=_("Empty: no answer came."))
    error = models.TextField(blank=True, help_text=_("Empty: the platform took it."))
    correlation_id = models.CharField("X-Correlation-ID", max_length=64, blank=True)

    operator_path = "push__platform__profiles__operators"

    class Meta:
        ordering = ["pk"]
        verbose_name = _("attempt")

    def __str__(self) -> str:
        return f"{self.number}: {self.error or gettext('taken')}"
