from datetime import datetime

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.choices import AuthorizationStatus, IdTokenType
from infrastructure.history import History
from infrastructure.models import Operator

id_tag_validator = RegexValidator(
    r"^[\x21-\x7e]+\Z", "Use printable ASCII characters without spaces, for example 04A1B2C3D4E5F6."
)


class IdTokenQuerySet(models.QuerySet["IdToken"]):
    def with_tag(self, id_tag: str) -> "IdTokenQuerySet":
        """Regardless of case (OCPP's CiString). Spelled so that both databases use the index, unlike `iexact`."""
        return self.alias(upper_tag=Upper("id_tag")).filter(upper_tag=id_tag.upper())


class IdToken(models.Model):
    """A card or fob of an operator's own staff or fleet. Who holds one charges at that operator's chargers
    without a partner and without a bill."""

    operator = models.ForeignKey(
        Operator, on_delete=models.CASCADE, related_name="id_tokens", help_text=_("At whose chargers it opens.")
    )
    id_tag = models.CharField(
        "id tag",
        max_length=36,
        validators=[id_tag_validator],
        help_text=_("As the charger reads it. OCPP 2.0.1 has up to 36 characters; a charger of 1.6 knows at most 20."),
    )
    type = models.CharField(
        max_length=15,
        choices=[(member.value, member.value) for member in IdTokenType],
        default=IdTokenType.ISO14443,
        help_text=_("For OCPP 2.0.1; a usual card is ISO14443."),
    )
    parent_id_tag = models.CharField(
        "parent id tag",
        max_length=20,
        blank=True,
        validators=[id_tag_validator],
        help_text=_(
            "Tags with the same parent may stop each other's sessions. Chargers of OCPP 1.6 take 20 characters."
        ),
    )
    note = models.CharField(max_length=100, blank=True, help_text=_("For example the holder's name or number plate."))
    is_blocked = models.BooleanField("blocked", default=False, help_text=_("Chargers refuse it."))
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never. May lie in the past."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    objects = IdTokenQuerySet.as_manager()
    history = History()
    operator_path = "operator"

    class Meta:
        verbose_name = _("id token")
        ordering = ["id_tag", "pk"]
        constraints = [
            models.UniqueConstraint(
                Upper("id_tag"),
                "operator",
                name="id_tag_unique_at_operator",
                violation_error_message="This operator has an id token with this id tag already.",
            )
        ]

    def __str__(self) -> str:
        return self.id_tag

    def status_at(self, instant: datetime) -> AuthorizationStatus:
        """What a charger is told of it."""
        if self.is_blocked:
            return AuthorizationStatus.BLOCKED
        if self.expires_at is not None and self.expires_at <= instant:
            return AuthorizationStatus.EXPIRED
        return AuthorizationStatus.ACCEPTED
