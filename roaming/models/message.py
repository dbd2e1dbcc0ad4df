from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from roaming.choices import Direction
from roaming.models.platform import RoamingPlatform


class Message(models.Model):
    """An OCPI request and its response, masked and cut. Written by `services.messages` only, in batches."""

    platform = models.ForeignKey(
        RoamingPlatform, null=True, on_delete=models.SET_NULL, related_name="messages", help_text=_("Empty: unknown.")
    )
    direction = models.CharField(max_length=3, choices=as_choices(Direction))
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField("duration (ms)")
    method = models.CharField(max_length=10)
    url = models.CharField(
        "URL", max_length=1024, help_text=_("Path and query; of our own requests the whole address.")
    )
    module = models.CharField(max_length=40, blank=True)
    object_id = models.CharField("object", max_length=120, blank=True)
    authorization_reference = models.CharField(max_length=80, blank=True)
    request_id = models.CharField("X-Request-ID", max_length=80, blank=True)
    correlation_id = models.CharField("X-Correlation-ID", max_length=80, blank=True)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, help_text=_("Empty: no answer came."))
    status_code = models.PositiveSmallIntegerField("OCPI status code", null=True)
    is_ok = models.BooleanField("succeeded")
    error = models.TextField(blank=True)
    request_body = models.TextField(blank=True)
    response_body = models.TextField(blank=True)
    request_size = models.PositiveIntegerField("size of the request (bytes)")
    response_size = models.PositiveIntegerField("size of the response (bytes)")

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    class Meta:
        ordering = ["-started_at", "-pk"]
        # Few: each is paid for with every message. A search reads the newest messages first until it has a page.
        indexes = [
            models.Index("started_at", name="message_time"),
            models.Index("platform", "started_at", name="message_platform_time"),
            models.Index("started_at", condition=Q(is_ok=False), name="message_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.module or self.url} {self.object_id}".strip()
