from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PendingCharger(models.Model):
    """An identity that knocked and that we do not know. Staff accept or discard it; until then it is refused."""

    identity = models.CharField(max_length=48, unique=True)
    # Of the password that it showed first: accepted with it, the charger need not be touched.
    password_hash = models.CharField(max_length=64, blank=True, editable=False)
    has_conflict = models.BooleanField(
        "different passwords", default=False, help_text=_("Attempts came with different passwords: who is it?")
    )
    address = models.CharField(max_length=64, blank=True, help_text=_("Where the last attempt came from."))
    protocols = models.CharField(max_length=120, blank=True, help_text=_("The OCPP versions that it offered."))
    attempts = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    # Nobody's yet: whoever may accept chargers sees all of them.
    operator_path = None

    class Meta:
        verbose_name = _("pending charger")
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.identity
