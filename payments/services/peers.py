"""Where a platform keeps its terminals and advices, and as whom we speak to it."""

from django.conf import settings

from payments.models import Terminal
from roaming.choices import InterfaceRole, Module
from roaming.models import PlatformEndpoint, RoamingPlatform, RoamingProfile
from roaming.ocpi.errors import NoMatchingEndpoints, PeerError
from roaming.ocpi.versions import payments_urls
from roaming.services import exposure


def addresses(platform: RoamingPlatform) -> tuple[str, str]:
    """Addresses of the terminals and of the financial advices. Raises PeerError when the partner has none.

    Partners list one `payments` endpoint or one per object, and not all give it the role SENDER.
    """
    listed = PlatformEndpoint.objects.filter(platform=platform, identifier__startswith=Module.PAYMENTS)
    senders = listed.filter(role=InterfaceRole.SENDER)
    rows = (senders if senders.exists() else listed).order_by("pk")
    try:
        return payments_urls(list(rows.values_list("url", flat=True)))
    except NoMatchingEndpoints as error:
        raise PeerError(f"{platform} lists no payments endpoint.", permanent=True) from error


def invoice_base_url(platform: RoamingPlatform) -> str:
    """Where this platform's drivers find their invoices: followed by the authorization reference.

    Contains the platform's code, as references are unique per platform only.
    """
    return f"{settings.PUBLIC_URL}/invoices/{platform.code}/"


def profile_for(terminal: Terminal) -> RoamingProfile | None:
    """Our party that this terminal belongs to."""
    if terminal.operator_id is not None:
        profile = exposure.profiles_by_operator(terminal.platform).get(terminal.operator_id)
        if profile is not None:
            return profile
    return terminal.platform.profiles.order_by("pk").first()
