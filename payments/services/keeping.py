"""What of payments forbids deletions elsewhere."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.models import FinancialAdviceConfirmation, Invoice
from roaming.models import RoamingPlatform


def check_platform_deletion(platform: RoamingPlatform) -> None:
    """ValidationError while drivers' invoices or captures depend on the platform."""
    invoices = Invoice.objects.filter(platform=platform).count()
    captures = FinancialAdviceConfirmation.objects.filter(platform=platform).count()
    kept = [
        *([ngettext("%(n)d invoice", "%(n)d invoices", invoices) % {"n": invoices}] if invoices else []),
        *([ngettext("%(n)d card capture", "%(n)d card captures", captures) % {"n": captures}] if captures else []),
    ]
    if kept:
        raise ValidationError(
            _(
                "%(kept)s of %(platform)s must stay readable, and so must the platform. To end the "
                "connection, choose “Invalidate credentials” under “Connection”: afterwards nothing is "
                "exchanged any more."
            )
            % {"kept": f" {_('and')} ".join(kept), "platform": platform}
        )
