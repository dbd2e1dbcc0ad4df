from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from roaming.models.platform import RoamingPlatform


class Circuit(models.Model):
    """Whether a platform can be reached: it opens after several failures in a row, and until `probe_at` nothing is
    sent. Then one request goes; its outcome closes the circuit or plans the next probe."""

    platform = models.OneToOneField(RoamingPlatform, on_delete=models.CASCADE, related_name="circuit")
    failures = models.PositiveIntegerField(default=0, help_text=_("In a row."))
    probes = models.PositiveIntegerField(default=0, help_text=_("Since it opened."))
    opened_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: closed."))
    probe_at = models.DateTimeField(null=True, blank=True, help_text=_("When the next request may go."))
    probe_started_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    last_http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    def __str__(self) -> str:
        text = gettext("sending to %(platform)s is held back") if self.probe_at else gettext("sending to %(platform)s")
        return text % {"platform": self.platform}
