"""What saving a tariff would mean: what drivers would pay beside what they pay now, and what looks like a mistake.

It is asked inside the transaction that has written the tariff and is taken back afterwards, so that every word of it
comes from what would be published.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext

from infrastructure.models import Site
from tariffs.choices import TariffStatus
from tariffs.models import RoamingTariff, TariffVersion
from tariffs.pricing import Cost, Detail, Price, Tariff
from tariffs.services import alt_texts, outcomes
from tariffs.services.calculator import Example, cost_of, document_of
from tariffs.services.details import to_pricing
from tariffs.services.gross_prices import amount
from tariffs.services.publish import build_content
from tariffs.services.versions import preauthorisation
from tariffs.services.week import week_of

DAY = timedelta(days=1)
# Days after a Monday, time of day, kWh, minutes charging and parked: short, usual, long, at night, at a weekend.
_EXAMPLES = (
    (0, time(12), 1, 3, 0),
    (0, time(12), 20, 30, 0),
    (0, time(8), 20, 120, 360),
    (0, time(22, 30), 40, 240, 240),
    (5, time(12), 20, 60, 0),
)
FARTHEST = 3650 * DAY
# Such a change of a price is more often a slip of the decimal point than a decision.
_LARGE = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A session, its price now ("" without one) and with the tariff as it was entered."""

    session: str
    now: str
    then: str
    remark: str


@dataclass(frozen=True, slots=True)
class Text:
    """`now` is empty where nothing is shown yet, or the same."""

    language: str
    now: str
    then: str


@dataclass(frozen=True, slots=True)
class Preview:
    effect: str
    warnings: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    blocked: str = ""
    texts: tuple[Text, ...] = ()


def preview(tariff: RoamingTariff, before: TariffVersion | None, now: datetime, zone: ZoneInfo) -> Preview:
    """Of a `tariff` as it was just written; `before` is what partners have. Raises PricingError."""
    details = [to_pricing(row) for row in tariff.details.order_by("-priority", "pk")]
    if not details:
        return Preview(_effect(tariff, before, now), (gettext("No detail yet, so there is no price."),))
    after = TariffVersion(tariff=tariff, number=0, content=build_content(tariff))
    examples = _examples(_begin(tariff, now), zone)
    now_costs, then_costs = (_costs(version, examples) for version in (before, after))
    pairs = list(zip(examples, now_costs, then_costs, strict=True))
    warnings = [
        *_warnings_of_time(tariff, before, details, now, zone),
        *_warnings_of_amounts(tariff, details),
        *_warnings_of_change(pairs),
    ]
    return Preview(
        _effect(tariff, before, now),
        tuple(warnings),
        tuple(_row(example, was, will) for example, was, will in pairs if will),
        _blocked(after, details),
        tuple(_texts(before, after)),
    )


def _begin(tariff: RoamingTariff, now: datetime) -> datetime:
    """From when it is looked at. After the last day of the year 9999 there is no week."""
    return min(max(now, tariff.valid_from or now), now + FARTHEST)


def _examples(day: datetime, zone: ZoneInfo) -> list[Example]:
    """In the first whole week from `day` on."""
    local = day.astimezone(zone).date()
    monday = local + (7 - local.weekday()) * DAY
    return [
        Example(
            start=datetime.combine(monday + after * DAY, at, zone).astimezone(UTC),
            charging=timedelta(minutes=charging),
            kwh=Decimal(kwh),
            parked=timedelta(minutes=parked),
            zone=zone,
        )
        for after, at, kwh, charging, parked in _EXAMPLES
    ]


def _costs(version: TariffVersion | None, examples: Sequence[Example]) -> list[Cost | None]:
    document: Tariff | None = document_of(version, for_terminals=True) if version else None
    return [cost_of(document, example) if document else None for example in examples]


def _effect(tariff: RoamingTariff, before: TariffVersion | None, now: datetime) -> str:
    if tariff.status != TariffStatus.ACTIVE:
        if before is None:
            return gettext("It is not active: no driver and no partner sees it yet.")
        return gettext("It is not active: partners no longer get it, and no session begins with it any more.")
    if tariff.valid_from and tariff.valid_from > now:
        return gettext("It is published at once and applies from %(start)s. Running sessions keep their price.") % {
            "start": date_format(tariff.valid_from.astimezone(_zone_of_site()), "D d M Y H:i")
        }
    return gettext("It is published at once. Running sessions keep the price with which they began.")


def _zone_of_site() -> ZoneInfo:
    site = Site.objects.first()
    return ZoneInfo(site.time_zone if site else "UTC")


def _warnings_of_time(
    tariff: RoamingTariff, before: TariffVersion | None, details: Sequence[Detail], now: datetime, zone: ZoneInfo
) -> Iterator[str]:
    begins_later = tariff.valid_from is not None and tariff.valid_from > now
    if before and before.content["start_date_time"] is None and begins_later:
        yield gettext(
            "Until it begins, this tariff would apply no more, and drivers may have no price at all. For a new price "
            "from a later day leave “valid from” empty and add a detail with that day as its start."
        )
    if tariff.valid_until is not None and tariff.valid_until <= now:
        yield gettext("Its validity is over: no session would begin with it.")
    week = week_of(details, (_begin(tariff, now) + 7 * DAY).astimezone(zone).date(), zone)
    uncovered = [one.until - one.since for day in week for one in day.stretches if one.detail is None]
    free = sum(uncovered, timedelta()) // timedelta(hours=1)
    if free:
        yield gettext("%(hours)d hours of a week are free: no detail covers them.") % {"hours": free}


def _warnings_of_amounts(tariff: RoamingTariff, details: Sequence[Detail]) -> Iterator[str]:
    yield from outcomes.surprises(tariff)
    rates = {price.vat is None for detail in details for price in detail.prices if price.price}
    if len(rates) > 1:
        yield gettext("Some prices have a VAT rate and others have none. Enter 0 where none is due.")
    site = Site.objects.first()
    if site and site.currency != tariff.currency:
        yield gettext("The currency is %(currency)s, that of the site is %(other)s.") % {
            "currency": tariff.currency,
            "other": site.currency,
        }
    own = sorted(text.language for text in tariff.texts.all())
    if own:
        yield gettext("In %(languages)s drivers read what you wrote yourself: see that its prices are these.") % {
            "languages": ", ".join(own)
        }


def _warnings_of_change(pairs: Sequence[tuple[Example, Cost | None, Cost | None]]) -> Iterator[str]:
    for example, was, will in pairs:
        if was is None or will is None or was.currency != will.currency:
            continue
        old, new = was.gross, will.gross
        if max(old, new) > _LARGE * min(old, new):
            yield gettext("%(session)s: %(new)s instead of %(old)s. Is the decimal point right?") % {
                "session": _session(example),
                "new": amount(new, will.currency),
                "old": amount(old, was.currency),
            }
            return


def _row(example: Example, was: Cost | None, will: Cost) -> Row:
    return Row(
        _session(example),
        amount(was.gross, was.currency) if was else "",
        amount(will.gross, will.currency),
        _limit(will.subtotal, will.total),
    )


def _limit(exact: Price, charged: Price) -> str:
    if charged.incl_vat < exact.incl_vat:
        return gettext("charging stops at this amount")
    return gettext("minimum price") if charged.incl_vat > exact.incl_vat else ""


def _session(example: Example) -> str:
    local = example.start.astimezone(example.zone)
    values = {
        "start": date_format(local, "l H:i"),
        "kwh": f"{example.kwh:f}",
        "charging": _minutes(example.charging),
        "parked": _minutes(example.parked),
    }
    if example.parked:
        return gettext("%(start)s, %(kwh)s kWh in %(charging)s, then %(parked)s parked") % values
    return gettext("%(start)s, %(kwh)s kWh in %(charging)s") % values


def _minutes(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"


def _blocked(version: TariffVersion, details: Sequence[Detail]) -> str:
    """What the pre-authorised amount means to a driver."""
    blocked = preauthorisation(version)
    if blocked is None:
        return gettext("Nothing is blocked on cards: payment terminals cannot use this tariff.")
    dearest = max(alt_texts.gross(detail.energy) for detail in details)
    values = {
        "amount": amount(blocked, version.content["currency"]),
        "kwh": int(blocked / dearest) if dearest else 0,
    }
    if not dearest:
        return gettext("%(amount)s is blocked on the card; charging stops before the cost exceeds it.") % values
    return (
        gettext(
            "%(amount)s is blocked on the card: enough for %(kwh)d kWh at the highest energy price, for less if "
            "anything else is charged. Charging stops before the cost exceeds it."
        )
        % values
    )


def _texts(before: TariffVersion | None, after: TariffVersion) -> Iterator[Text]:
    shown = {text["language"]: text["text"] for text in (before.content["tariff_alt_text"] if before else [])}
    for text in after.content["tariff_alt_text"]:
        was = shown.get(text["language"], "")
        yield Text(text["language"], "" if was == text["text"] else was, text["text"])
