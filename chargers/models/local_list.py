from django.db import models
from django.utils import timezone

from chargers.models.call import OutgoingCall
from infrastructure.models import Charger


class LocalList(models.Model):
    """The list by which a charger lets tags in while it cannot ask (OCPP 1.6, 3.5.2), as it should be.

    `entries` is [{"id_tag", "type", "status", "parent_id_tag", "expires_at"}]; `call` is the last attempt to send it
    and `sent_version` the version that went with it.
    """

    charger = models.OneToOneField(Charger, on_delete=models.CASCADE, related_name="local_list")
    version = models.PositiveIntegerField(default=0, help_text="Grows with each change; 0: nothing was ever listed.")
    entries = models.JSONField(default=list)
    sent_version = models.PositiveIntegerField(null=True, blank=True)
    call = models.ForeignKey(OutgoingCall, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = "local list"
        ordering = ["charger"]

    def __str__(self) -> str:
        return f"{self.charger.identity} version {self.version}"
