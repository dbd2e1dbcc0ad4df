"""Payment terminals and what they serve."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.choices import as_choices
from infrastructure.history import History
from infrastructure.models import EVSE, Location, Operator
from payments.choices import InvoiceCreator
from roaming.models import RoamingPlatform

reference_validator = RegexValidator(
    r"^[\x20-\x7e]{1,36}$", _("Use 1 to 36 letters, digits or punctuation marks without accents, for example C-1042.")
)


class Terminal(models.Model):
    """A payment terminal (DirectPayment v1.9, 5.1.2). The PTP owns the object, we own the assignment."""

    platform = models.ForeignKey(RoamingPlatform, on_delete=models.CASCADE, related_name="terminals")
    terminal_id = models.CharField(max_length=36)
    operator = models.ForeignKey(
        Operator,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="terminals",
        help_text=_("Empty: nobody's yet, in the unassigned pool."),
    )
    customer_reference = models.CharField(max_length=36, blank=True)
    party_id = models.CharField(max_length=3, blank=True)
    country_code = models.CharField(max_length=2, blank=True)
    address = models.CharField(max_length=45, blank=True)
    city = models.CharField(max_length=45, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=3, blank=True)
    coordinates = models.JSONField(null=True, blank=True)
    our_reference = models.CharField(
        _("our customer reference"),
        max_length=36,
        blank=True,
        validators=[reference_validator],
        help_text=_("The partner is told to keep this one, for example your contract number. Empty: the partner's."),
    )
    invoice_base_url = models.CharField(max_length=255, blank=True)
    invoice_creator = models.CharField(
        max_length=3, blank=True, choices=as_choices(InvoiceCreator), help_text=_("Empty: CPO.")
    )
    locations = models.ManyToManyField(
        Location,
        related_name="terminals",
        blank=True,
        verbose_name=_("areas"),
        help_text=_("Serves all their EVSEs."),
    )
    evses = models.ManyToManyField(
        EVSE,
        related_name="terminals",
        blank=True,
        verbose_name=_("EVSEs"),
        help_text=_("Serves these in addition."),
    )
    assigned_at = models.DateTimeField(null=True, editable=False, help_text=_("When we last decided what it serves."))
    reported = models.JSONField(
        default=dict, editable=False, help_text=_("What the PTP last told: assignment, invoice address, time.")
    )
    seen_at = models.DateTimeField(null=True, editable=False, help_text=_("When the PTP last told of it."))
    missing_since = models.DateTimeField(
        null=True, editable=False, help_text=_("Since when the PTP's complete list no longer holds it.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_updated = models.DateTimeField(default=timezone.now, editable=False)

    history = History(m2m_fields=["locations", "evses"])
    operator_path = "operator"

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint("platform", Upper("terminal_id"), name="terminal_unique_per_platform")]

    def __str__(self) -> str:
        return self.terminal_id
