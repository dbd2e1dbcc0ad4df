"""What a person must look at: payments that went another way than they should."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chargers.models import ChargingSession
from infrastructure.choices import as_choices
from infrastructure.models import EVSE, Operator
from payments.choices import IssueKind, IssueState
from payments.models.advices import FinancialAdviceConfirmation
from payments.models.terminals import Terminal
from roaming.models import RoamingPlatform


class PaymentIssue(models.Model):
    """One exception of one subject. All else of a payment's life is derived; this row keeps what cannot be: that
    somebody was told, and what a person decided.

    `reason` tells the facts and nothing that changes by itself: other facts open an accepted issue again.
    """

    kind = models.CharField(max_length=25, choices=as_choices(IssueKind))
    subject = models.CharField(max_length=60, help_text=_("What it is about, for example session:12."))
    state = models.CharField(max_length=8, choices=as_choices(IssueState), default=IssueState.OPEN)
    reason = models.TextField()
    evidence = models.JSONField(
        default=list, blank=True, help_text=_("Messages that were not, or not simply, applied.")
    )
    operator = models.ForeignKey(Operator, null=True, blank=True, on_delete=models.CASCADE, related_name="issues")
    platform = models.ForeignKey(
        RoamingPlatform, null=True, blank=True, on_delete=models.CASCADE, related_name="issues"
    )
    authorization_reference = models.CharField(max_length=36, blank=True)
    session = models.ForeignKey(
        ChargingSession, null=True, blank=True, on_delete=models.CASCADE, related_name="payment_issues"
    )
    advice = models.ForeignKey(
        FinancialAdviceConfirmation, null=True, blank=True, on_delete=models.CASCADE, related_name="issues"
    )
    terminal = models.ForeignKey(Terminal, null=True, blank=True, on_delete=models.CASCADE, related_name="issues")
    evse = models.ForeignKey(
        EVSE, null=True, blank=True, on_delete=models.CASCADE, related_name="payment_issues", verbose_name=_("EVSE")
    )
    opened_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.TextField(blank=True)

    operator_path = "operator"

    class Meta:
        verbose_name_plural = _("payment work list")
        ordering = ["-opened_at", "-pk"]
        constraints = [models.UniqueConstraint("subject", "kind", name="one_issue_per_subject_and_kind")]
        indexes = [models.Index("opened_at", condition=Q(state="OPEN"), name="issue_open")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}"

    @property
    def about(self) -> str:
        return self.authorization_reference or str(self.terminal or self.evse or self.subject)
