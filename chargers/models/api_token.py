from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.history import History
from infrastructure.models import Operator


class ApiToken(models.Model):
    """Lets a program use the operator API for some operators. Of its key only a keyed hash is kept.

    `scopes` holds values of `ApiScope`. Without a key, after `expires_at` and once revoked it opens nothing.
    """

    name = models.CharField(max_length=100, help_text=_("Who uses it, for example Fleet back office."))
    operators = models.ManyToManyField(
        Operator, related_name="api_tokens", help_text=_("Whose chargers, transactions and id tokens it reaches.")
    )
    scopes = models.JSONField(
        "permissions", default=list, blank=True, help_text=_("What it may do; nothing by itself.")
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never."))
    key_hash = models.CharField(max_length=64, blank=True, editable=False)
    key_start = models.CharField("key begins with", max_length=10, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = History(m2m_fields=["operators"])
    operator_path = "operators"

    class Meta:
        verbose_name = _("API token")
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint("key_hash", condition=~Q(key_hash=""), name="api_token_key_unique")]

    def __str__(self) -> str:
        return self.name
