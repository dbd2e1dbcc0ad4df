from enum import StrEnum


class TariffStatus(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class TariffType(StrEnum):
    """OCPI TariffType (2.2.1 mod_tariffs, 11.4.8); terminals get AD_HOC_PAYMENT and untyped tariffs only."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"
    PROFILE_CHEAP = "PROFILE_CHEAP"
    PROFILE_FAST = "PROFILE_FAST"
    PROFILE_GREEN = "PROFILE_GREEN"
    REGULAR = "REGULAR"


class Recurrence(StrEnum):
    ONE_TIME = "ONE_TIME"
    DAILY = "DAILY"
