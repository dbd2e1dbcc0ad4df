"""Where a tariff applies."""

from django.db.models import Q, QuerySet

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
