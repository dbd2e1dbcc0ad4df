"""Rules for the identifiers that partners see (OCPI types: CiString; eMI3 EVSE ids)."""

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

PRINTABLE_ASCII = r"[\x21-\x7e]"

roaming_id_validator = RegexValidator(
    rf"^{PRINTABLE_ASCII}{{1,36}}$",
    _("Use 1 to 36 printable ASCII characters without spaces, for example HQ-PARKING-1."),
)
identity_validator = RegexValidator(
    r"^[A-Za-z0-9*\-_=:+|@.]{1,48}$",
    _("Use 1 to 48 letters, digits or * - _ = : + | @ . without spaces, as configured in the charger."),
)
evse_id_validator = RegexValidator(
    r"^[A-Za-z]{2}\*?[A-Za-z0-9]{3}\*?[Ee][A-Za-z0-9][A-Za-z0-9*]{0,30}$",
    _("Use the eMI3 form: country, party, E and the outlet, for example AT*PLG*E0001*1."),
)
country_validator = RegexValidator(
    r"^[A-Z]{3}$", _("Use the three-letter ISO 3166-1 code in capitals, for example AUT.")
)
currency_validator = RegexValidator(
    r"^[A-Z]{3}$", _("Use the three-letter ISO 4217 code in capitals, for example EUR.")
)

PHYSICAL_REFERENCE_LENGTH = 16


def default_evse_uid(charger_roaming_id: str, number: int) -> str:
    """`EVSE.uid` of an EVSE that has none of its own: the charger's roaming id and the EVSE's number."""
    return f"{charger_roaming_id}-{number}"


def default_physical_reference(evse_id: str, number: int) -> str:
    """What a driver reads on the outlet: the last part of the eMI3 id, else the number (OCPI: at most 16)."""
    last_part = evse_id.rsplit("*", 1)[-1] if "*" in evse_id else str(number)
    return last_part[-PHYSICAL_REFERENCE_LENGTH:]
