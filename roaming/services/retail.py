"""The driver's price at a payment terminal provider that only gets a wholesale tariff (`RoamingPlatform.retail_*`)."""

from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from tariffs.pricing import RetailTerms


def terms_of(platform: RoamingPlatform) -> RetailTerms | None:
    """None where the driver pays the tariff itself."""
    terms = RetailTerms(platform.retail_factor, platform.retail_surcharge, platform.retail_surcharge_vat)
    return terms if terms.is_other and platform.type == PlatformType.PTP else None


def frozen_terms(platform: RoamingPlatform) -> dict[str, str | None] | None:
    """For `ChargingSession.retail`: later changes are for later sessions."""
    terms = terms_of(platform)
    return terms.to_json() if terms else None
