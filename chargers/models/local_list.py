from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chargers.models.call import OutgoingCall
from infrastructure.models import Charger


class LocalList(models.Model):
    """The list by which a charger lets tags in while it cannot ask (OCPP 1.6, 3.5.2), as it should be.

    `entries` is [{"id_tag", "type", "status", "parent_id_tag", "expires_at"}]; `call` is the last attempt to send it,
    `sent_version` and `sent_entries` what went with it, `held_version` and `held_entries` what the charger has
    confirmed. `held_version` None: what it holds is not known.
    """

    charger = models.OneToOneField(Charger, on_delete=models.CASCADE, related_name="local_list")
    version = models.PositiveIntegerField(default=0, help_text=_("Grows with each change; 0: nothing was ever listed."))
    entries = models.JSONField(default=list)
    sent_version = models.PositiveIntegerField(null=True, blank=True)
    sent_entries = models.JSONField(default=list)
    held_version = models.PositiveIntegerField(null=True, blank=True)
    held_entries = models.JSONField(default=list)
    call = models.ForeignKey(OutgoingCall, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("local list")
        ordering = ["charger"]

    def __str__(self) -> str:
        return gettext("%(charger)s version %(version)d") % {"charger": self.charger.identity, "version": self.version}
