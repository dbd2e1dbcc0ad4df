"""Which tariff applies to a connector: the first level of charger, operator and site that has one."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from infrastructure.models import Connector
from tariffs.choices import TariffStatus, TariffType
from tariffs.models import RoamingTariff, SessionSettings, TariffVersion

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
FOR_TERMINALS = ("", TariffType.AD_HOC_PAYMENT)


class Resolver:
    """Resolves many connectors at one instant in two queries; it shows the tariffs as they were when it was made.

    `assigned_ids` are the tariffs assigned to whoever asks. Load `evse__charger__location` with the connectors.
    """

    def __init__(self, assigned_ids: Collection[int], at: datetime, *, for_terminals: bool = False) -> None:
        candidates = {tariff.pk: tariff for tariff in _candidates(assigned_ids, at, for_terminals)}
        self._by_charger: dict[int, RoamingTariff] = {}
        self._by_operator: dict[int, RoamingTariff] = {}
        self._at_site: RoamingTariff | None = None
        # The best last, so that it stays.
        for tariff, level in sorted(_assignments(candidates), key=lambda pair: _rank(pair[0])):
            if level.charger_id is not None:
                self._by_charger[level.charger_id] = tariff
            elif level.operator_id is not None:
                self._by_operator[level.operator_id] = tariff
            else:
                self._at_site = tariff

    def tariff_for(self, connector: Connector) -> RoamingTariff | None:
        charger = connector.evse.charger
        return self._by_charger.get(charger.pk) or self._by_operator.get(charger.location.operator_id) or self._at_site


def resolve(
    connector: Connector, at: datetime, assigned_ids: Collection[int], *, for_terminals: bool = False
) -> RoamingTariff | None:
    """The tariff of one connector at `at`; None when no level has an assigned, active and valid one."""
    return Resolver(assigned_ids, at, for_terminals=for_terminals).tariff_for(connector)


def _candidates(assigned_ids: Collection[int], at: datetime, for_terminals: bool) -> QuerySet[RoamingTariff]:
    """Active, valid and published; one without a version has no prices that could be billed."""
    tariffs = RoamingTariff.objects.filter(
        Q(valid_from=None) | Q(valid_from__lte=at),
        Q(valid_until=None) | Q(valid_until__gt=at),
        Exists(TariffVersion.objects.filter(tariff=OuterRef("pk"))),
        pk__in=assigned_ids,
        status=TariffStatus.ACTIVE,
    )
    return tariffs.filter(type__in=FOR_TERMINALS) if for_terminals else tariffs


def _assignments(candidates: dict[int, RoamingTariff]) -> Iterable[tuple[RoamingTariff, SessionSettings]]:
    rows = SessionSettings.tariffs.through.objects.filter(roamingtariff__in=candidates)
    for row in rows.select_related("sessionsettings"):
        yield candidates[row.roamingtariff_id], row.sessionsettings


def _rank(tariff: RoamingTariff) -> tuple[datetime, int]:
    """Two candidates of one level should not exist; if they do, the newest validity wins, then the newest row."""
    return (tariff.valid_from or _LONG_AGO, tariff.pk)
