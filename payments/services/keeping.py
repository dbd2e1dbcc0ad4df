"""What of payments forbids deletions elsewhere."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from payments.models import FinancialAdviceConfirmation, Invoice
from roaming.models import RoamingPlatform


def check_platform_deletion(platform: RoamingPlatform) -> None:
    """ValidationError while drivers' invoices or captures depend on the platform."""
    invoices = Invoice.objects.filter(platform=platform).count()
    captures = FinancialAdviceConfirmation.objects.filter(platform=platform).count()
    kept = [f"{count} {name}" for count, name in ((invoices, "invoices"), (captures, "card captures")) if count]
    if kept:
        raise ValidationError(
            _(
                "%(kept)s of %(platform)s must stay readable, and so must the platform. To end the "
                "connection, choose “Invalidate credentials” under “Connection”: afterwards nothing is "
                "exchanged any more."
            )
            % {"kept": " and ".join(kept), "platform": platform}
        )
