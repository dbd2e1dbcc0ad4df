"""What a driver reads about a tariff (`tariff_alt_text`): every gross price and when it applies, per language.

What is said is what the published elements do: the highest priority first, zero where nothing applies.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from tariffs.models import RoamingTariff
from tariffs.pricing import Detail, DetailPrice, RetailTerms, ocpi_number
from tariffs.services.details import vat_factor
from tariffs.services.price_words import Amounts, PriceWriter
from tariffs.services.timeframes import ALWAYS, TimeFrame, cover_all_time, frame_of, may_overlap, written
from tariffs.services.wording import WORDINGS, Wording

DisplayText = dict[str, str]

LANGUAGES = tuple(WORDINGS)
MAX_LENGTH = 512  # OCPI DisplayText.text
_NET_PRECISION = Decimal("0.00005")


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is paid in these time frames; without any, whenever no earlier offer applies."""

    amounts: Amounts
    frames: tuple[TimeFrame, ...] = ()


def texts(
    tariff: RoamingTariff,
    details: Sequence[Detail],
    languages: Iterable[str],
    *,
    for_terminals: bool = True,
    past: datetime | None = None,
    terms: RetailTerms | None = None,
) -> list[DisplayText]:
    """DisplayTexts: those that staff wrote (`TariffText`), else generated where the language is known.

    With `terms` all are generated: what staff wrote names the prices of the tariff itself.
    """
    own = {} if terms else {text.language: text.text for text in tariff.texts.all()}
    wanted = dict.fromkeys([*languages, *own])
    return [
        {
            "language": language,
            "text": own.get(language)
            or generate(tariff, details, WORDINGS[language], for_terminals=for_terminals, past=past, terms=terms),
        }
        for language in wanted
        if language in own or language in WORDINGS
    ]


def generate(
    tariff: RoamingTariff,
    details: Sequence[Detail],
    wording: Wording,
    *,
    for_terminals: bool = True,
    past: datetime | None = None,
    terms: RetailTerms | None = None,
) -> str:
    """At most 512 characters: all prices with their hours; else their ranges, and where the full list is.

    `past` is a local time that is over everywhere: what ended before it is left out. `terms` make them the driver's.
    """
    terms = terms or RetailTerms()
    reachable = _reachable(details, past)
    offers = _offers(reachable, past, terms.factor)
    writer = PriceWriter(wording, tariff.currency, [offer.amounts for offer in offers])
    surcharge = list(_surcharge(offers, writer, terms))
    conditions = [*_steps(reachable, wording), *_minimum(tariff, writer, terms, has_surcharge=bool(surcharge))]
    end = [*_limit(tariff, writer, for_terminals, terms), *_vat(reachable, wording, terms)]
    ranges = [writer.ranges(), *([wording.sentences.varies] if len(offers) > 1 else [])]
    elsewhere = wording.sentences.full_list
    candidates = (
        [*_timetable(offers, writer), *surcharge, *conditions, *end],
        [*ranges, *surcharge, elsewhere, *conditions, *end],
        [*ranges, *surcharge, elsewhere, *end],
        [elsewhere, *surcharge, *end],
    )
    return next(text for text in map(_joined, candidates) if len(text) <= MAX_LENGTH)


def energy_price(currency: str, details: Sequence[Detail], language: str = "en") -> str:
    """Gross price per kWh alone, "" when energy is free, for example "€0.49 per kWh"."""
    offers = _offers(_reachable(details, None), None, RetailTerms().factor)
    return PriceWriter(WORDINGS[language], currency, [offer.amounts for offer in offers]).energy_range()


def gross(price: DetailPrice) -> Decimal:
    """Price including VAT with the fewest decimals, at most four, that the published net price can tell apart.

    0.49 including 21 % is published as 0.4050 net, which is 0.49005: nobody would want to read 0.4901.
    """
    factor = vat_factor(price.vat)
    exact = (price.price or Decimal(0)) * factor
    rounded = (ocpi_number(exact.scaleb(decimals - 4)).scaleb(4 - decimals) for decimals in range(5))
    return next(value for value in rounded if abs(value - exact) <= _NET_PRECISION * factor)


def _reachable(details: Sequence[Detail], past: datetime | None) -> list[Detail]:
    """Highest priority first, up to one that always applies, without those that are over."""
    reachable = []
    for detail in sorted(details, key=lambda detail: -detail.priority):
        if past is None or detail.stop is None or detail.stop > past:
            reachable.append(detail)
            if frame_of(detail, past) == ALWAYS:
                break
    return reachable


def _offers(reachable: Sequence[Detail], past: datetime | None, factor: Decimal) -> list[_Offer]:
    """In the order in which they win; neighbours of one price together. Time that no detail covers is free."""
    offers: list[_Offer] = []
    frames = [frame_of(detail, past) for detail in reachable]
    for detail, frame in zip(reachable, frames, strict=True):
        _add(offers, Amounts(*(gross(price) * factor for price in detail.prices)), frame)
    if not cover_all_time(frames):
        _add(offers, Amounts(), ALWAYS)
    return offers


def _add(offers: list[_Offer], amounts: Amounts, frame: TimeFrame) -> None:
    earlier: tuple[TimeFrame, ...] = ()
    if offers and offers[-1].amounts == amounts:
        earlier = offers.pop().frames
    offers.append(_Offer(amounts, () if frame == ALWAYS else (*earlier, frame)))


def _timetable(offers: Sequence[_Offer], writer: PriceWriter) -> Iterator[str]:
    words, wording = writer.wording.times, writer.wording
    if len(offers) == 1:
        yield writer.listed(offers[0].amounts) or wording.prices.all_free
        return
    common = writer.common
    for offer in offers:
        when = f" {words.and_} ".join(written(frame, wording) for frame in offer.frames) or words.otherwise
        yield f"{when}{wording.colon}{writer.listed(offer.amounts, without=common) or wording.prices.free}"
    if common:
        yield f"{words.always}{wording.colon}{writer.listed(offers[0].amounts, only=common)}"
    if len({offer.amounts.flat for offer in offers}) > 1:
        yield wording.sentences.start_fee_rule
    if any(_may_meet(one, other) for one, other in combinations(offers, 2)):
        yield wording.sentences.overlap


def _may_meet(one: _Offer, other: _Offer) -> bool:
    return any(may_overlap(frame, second) for frame in one.frames for second in other.frames)


def _steps(details: Sequence[Detail], wording: Wording) -> Iterator[str]:
    """Only where a driver could notice: the unit of one second or Wh needs no words."""
    watt_hours = {detail.energy.step_size for detail in details if detail.energy.price}
    seconds = {price.step_size for detail in details for price in (detail.charge_time, detail.park_time) if price.price}
    named = [
        *(f"{wording.numbers.plain(Decimal(step) / 1000)} kWh" for step in sorted(watt_hours) if step > 1),
        *(f"{step // 60} min" if step % 60 == 0 else f"{step} s" for step in sorted(seconds) if step > 1),
    ]
    if named:
        yield wording.sentences.steps.format(" / ".join(named))


def _minimum(tariff: RoamingTariff, writer: PriceWriter, terms: RetailTerms, *, has_surcharge: bool) -> Iterator[str]:
    sentences = writer.wording.sentences
    if tariff.min_price:
        least = sentences.at_least_with_surcharge if has_surcharge else sentences.at_least
        yield least.format(writer.money(terms.gross(tariff.min_price)))


def _surcharge(offers: Sequence[_Offer], writer: PriceWriter, terms: RetailTerms) -> Iterator[str]:
    if terms.surcharge and any(offer.amounts != Amounts() for offer in offers):
        yield writer.wording.sentences.surcharge.format(writer.money(terms.surcharge))


def _limit(tariff: RoamingTariff, writer: PriceWriter, for_terminals: bool, terms: RetailTerms) -> Iterator[str]:
    sentences = writer.wording.sentences
    if for_terminals and tariff.preauthorisation:
        limits = [limit for limit in (tariff.preauthorisation, tariff.max_price) if limit] if terms.is_other else []
        amount = terms.preauthorised(min(limits), tariff.currency) if limits else tariff.preauthorisation
        yield sentences.blocked.format(writer.money(amount))
    elif tariff.max_price:
        yield sentences.at_most.format(writer.money(terms.gross(tariff.max_price)))


def _vat(details: Sequence[Detail], wording: Wording, terms: RetailTerms) -> Iterator[str]:
    rates = {price.vat or Decimal(0) for detail in details for price in detail.prices if price.price}
    if terms.surcharge:
        rates.add(terms.surcharge_vat or Decimal(0))
    if any(rates):
        percents = [wording.numbers.percent.format(wording.numbers.plain(rate)) for rate in sorted(rates)]
        yield wording.sentences.with_vat.format(", ".join(percents))


def _joined(sentences: Iterable[str]) -> str:
    return " ".join(f"{sentence[0].upper()}{sentence[1:].removesuffix('.')}." for sentence in sentences)
