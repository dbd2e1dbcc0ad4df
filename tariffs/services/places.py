"""Where a tariff applies."""

from django.db.models import Q, QuerySet

from infrastructure import access
from infrastructure.models import Operator
from tariffs.models import RoamingTariff


def operators_using(tariff: RoamingTariff) -> QuerySet[Operator]:
    """Operators at whose site, selves or chargers session settings hold the tariff."""
    settings = tariff.session_settings.all()
    return Operator.objects.filter(
        Q(site__session_settings__in=settings)
        | Q(session_settings__in=settings)
        | Q(locations__chargers__session_settings__in=settings)
    ).distinct()


def may_change(user: access.User, tariff: RoamingTariff) -> bool:
    """A tariff belongs to those who see every operator at which it applies; one that applies nowhere to all."""
    if getattr(user, "is_superuser", False):
        return True
    return not operators_using(tariff).exclude(pk__in=access.operators_of(user)).exists()
