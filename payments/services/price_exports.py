"""Displayed prices as rows of words: for the page and for the files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from infrastructure import access
from payments.models import PriceEvidence
from payments.services.price_components import Components, components

HEAD = (
    *(
        _("Valid from"),
        _("Valid until"),
        _("Operator"),
        _("Area id"),
        _("Area"),
        _("Charger"),
        _("EVSE"),
        _("Time zone"),
        _("Platform"),
    ),
    *(
        _("Tariff"),
        _("Currency"),
        _("Per kWh"),
        _("Per minute"),
        _("Per session"),
        _("Other components"),
        _("Blocked on the card"),
    ),
    *(_("Text shown"), _("Language"), _("Texts in other languages"), _("Changed by"), _("Ended by")),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which displayed prices: shown at any instant from `start` until before `end`, or exactly at `at`."""

    start: datetime
    end: datetime
    at: datetime | None = None
    place: str = ""
    operator: int | None = None
    platform: int | None = None


def found(asked: Asked, user: access.User) -> QuerySet[PriceEvidence]:
    """Per EVSE the newest first."""
    begin, end = (asked.at, asked.at) if asked.at else (asked.start, asked.end)
    begun = Q(valid_from__lte=end) if asked.at else Q(valid_from__lt=end)
    rows = access.scope(PriceEvidence.objects.all(), user).filter(begun, Q(valid_until=None) | Q(valid_until__gt=begin))
    if asked.operator is not None:
        rows = rows.filter(operator=asked.operator)
    if asked.platform is not None:
        rows = rows.filter(platform=asked.platform)
    if asked.place:
        columns = ("charger_identity", "evse_id", "evse_uid", "location_name", "location_uid")
        rows = rows.filter(Q(*((f"{name}__icontains", asked.place) for name in columns), _connector=Q.OR))
    return rows.select_related("tariff").order_by("location_name", "charger_identity", "evse_uid", "-valid_from", "pk")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One displayed price in words; times in the zone of the area."""

    row: PriceEvidence
    zone: ZoneInfo
    valid_from: str
    valid_until: str
    components: Components
    blocked: str
    texts: dict[str, str]

    @property
    def language(self) -> str:
        return next(iter(self.texts), "")

    @property
    def text(self) -> str:
        return self.texts.get(self.language, "")

    @property
    def other_texts(self) -> dict[str, str]:
        return {language: text for language, text in self.texts.items() if language != self.language}


def sheet_of(row: PriceEvidence, at: datetime | None) -> Sheet:
    body, zone = row.tariff.body, ZoneInfo(row.time_zone)
    limit = body.get("max_price") or {}
    return Sheet(
        row=row,
        zone=zone,
        valid_from=_moment(row.valid_from, zone),
        valid_until=_moment(row.valid_until, zone) if row.valid_until else "",
        components=components(row.tariff, at, row.time_zone),
        blocked=f"{limit['incl_vat']:.2f}" if "incl_vat" in limit else "",
        texts={one["language"]: one["text"] for one in body.get("tariff_alt_text", [])},
    )


def file_rows(rows: Iterable[PriceEvidence], at: datetime | None) -> Iterator[tuple[str, ...]]:
    """In the order of `HEAD`."""
    for one in (sheet_of(row, at) for row in rows):
        row, price = one.row, one.components
        yield (
            *(one.valid_from, one.valid_until, row.operator_name, row.location_uid, row.location_name),
            *(row.charger_identity, row.evse_id or row.evse_uid, row.time_zone, row.platform_name),
            *(row.tariff.body["id"], row.tariff.body["currency"]),
            *(price.per_kwh, price.per_minute, price.per_session, price.other, one.blocked, one.text, one.language),
            " | ".join(f"{language}: {text}" for language, text in one.other_texts.items()),
            *(row.author_name, row.ended_by),
        )


def _moment(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"
