"""Whose an id tag is by its first four characters (`RoamingPlatform.token_prefix`): three and a separator."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from chargers.choices import TokenType
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform

Json = dict[str, Any]

LENGTH = 4


def owner_of(id_tag: str) -> RoamingPlatform | None:
    """The one partner whose tags begin like this one; registered or not, it is nobody else's."""
    prefix = id_tag[:LENGTH]
    if len(prefix) < LENGTH:
        return None
    return RoamingPlatform.objects.filter(token_prefix__iexact=prefix).first()


def token_of(platform: RoamingPlatform, id_tag: str) -> Json | None:
    """The token behind a tag that its partner did not tell us of; None while we do not know the partner's party."""
    party = platform.roles.order_by("pk").values_list("country_code", "party_id").first()
    country_code, party_id = party or (platform.expected_country_code, platform.expected_party_id)
    if not (country_code and party_id):
        return None
    is_terminal = platform.type == PlatformType.PTP
    return {
        "country_code": country_code,
        "party_id": party_id,
        "uid": id_tag,
        "type": (TokenType.AD_HOC_USER if is_terminal else TokenType.RFID).value,
        "contract_id": id_tag,
    }


def check_prefix(platform: RoamingPlatform) -> None:
    """ValidationError when another partner has the prefix: a start could be either's."""
    if not platform.token_prefix:
        return
    others = RoamingPlatform.objects.filter(token_prefix__iexact=platform.token_prefix).exclude(pk=platform.pk)
    other = others.first()
    if other is not None:
        words = _("%(other)s has the prefix %(prefix)s already: a tag could be either's. Choose another one.")
        raise ValidationError({"token_prefix": words % {"other": other, "prefix": other.token_prefix}})
