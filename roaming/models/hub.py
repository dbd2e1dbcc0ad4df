from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from roaming.choices import ConnectionStatus
from roaming.models.platform import RoamingPlatform


class ClientInfo(models.Model):
    """A party behind a hub, and whether it can be reached (OCPI 2.2.1 mod_hub_client_info). `body` is as received."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="client_infos")
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    role = models.CharField(max_length=10)
    status = models.CharField(max_length=9, choices=as_choices(ConnectionStatus))
    body = models.JSONField()
    last_updated = models.DateTimeField(help_text=_("By the hub's clock."))
    received_at = models.DateTimeField(default=timezone.now)

    operator_path = "platform__profiles__operators"
    owned_through = "platform"

    class Meta:
        verbose_name = _("party behind a hub")
        verbose_name_plural = _("parties behind hubs")
        ordering = ["platform", "country_code", "party_id"]
        constraints = [
            models.UniqueConstraint("platform", Upper("country_code"), Upper("party_id"), name="client_info_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.country_code}-{self.party_id} ({self.role})"
