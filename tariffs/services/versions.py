"""A published version as OCPI Tariff for a partner, and as the tariff from which sessions are priced.

Both come from the same content and limit: what a terminal shows is what is billed.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, overload

from tariffs.models import TariffVersion
from tariffs.pricing import Price, PriceLimit, RetailTerms, Tariff, TariffElement, max_limit
from tariffs.services.details import prices_of

Json = dict[str, Any]


def ocpi_tariff(
    version: TariffVersion, *, country_code: str, party_id: str, last_updated: datetime, for_terminals: bool
) -> dict[str, Any]:
    """OCPI 2.2.1 Tariff (mod_tariffs 11.3.1).

    For terminals `max_price` is the amount to block (DirectPayment v1.9, 6); for others it is the cap.
    """
    content = version.content
    texts = content["tariff_alt_text"]
    if not for_terminals:
        texts = content.get("roaming_alt_text", texts)
    tariff = {
        "country_code": country_code,
        "party_id": party_id,
        **{name: content[name] for name in ("id", "currency", "type")},
        "tariff_alt_text": texts,
        "min_price": content["min_price"],
        "max_price": _published_limit(version, preauthorisation(version) if for_terminals else None),
        **{name: content[name] for name in ("elements", "start_date_time", "end_date_time")},
        "last_updated": format_instant(last_updated),
    }
    return {name: value for name, value in tariff.items() if value not in (None, [])}


def for_retail(tariff: Json, version: TariffVersion, terms: RetailTerms, texts: list[dict[str, str]]) -> Json:
    """The tariff for a partner whose drivers pay by `terms`: what drivers read and what is blocked on their cards is
    theirs, all else is what the partner owes us."""
    shown = {**tariff, "tariff_alt_text": texts}
    limit = tariff.get("max_price")
    if limit is not None:
        gross = Decimal(str(limit.get("incl_vat", limit["excl_vat"])))
        shown["max_price"] = _max_limit(version, terms.preauthorised(gross, tariff["currency"])).to_ocpi()
    return shown


def for_wholesale(tariff: Json, version: TariffVersion, limit: Decimal | None) -> Json:
    """The tariff by which a partner with retail terms computes a CDR: in its own words and prices, and with the gross
    wholesale `limit` that acted. DirectPayment v1.9, 6, wants words in every tariff."""
    bare = {name: value for name, value in tariff.items() if name != "max_price"}
    most = _published_limit(version, limit)
    return bare if most is None else bare | {"max_price": most}


def pricing_tariff(version: TariffVersion, limit: Decimal | None) -> Tariff:
    """The tariff that prices a session; `limit` is its gross limit, None where nothing was pre-authorised."""
    return _pricing_tariff(version, version.created_at, limit)


def preauthorisation(version: TariffVersion) -> Decimal | None:
    """Gross amount to block on a card."""
    amount: str | None = version.content["preauthorisation"]
    return None if amount is None else Decimal(amount)


@overload
def format_instant(value: datetime) -> str: ...
@overload
def format_instant(value: None) -> None: ...
@overload
def format_instant(value: datetime | None) -> str | None: ...
def format_instant(value: datetime | None) -> str | None:
    """OCPI DateTime in UTC (2.2.1 types)."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=512)
def _pricing_tariff(version: TariffVersion, created_at: datetime, limit: Decimal | None) -> Tariff:
    # Versions are immutable and equal by primary key. `created_at` is part of the key for databases that give
    # the key of a row that was rolled back to the next one.
    return Tariff.from_ocpi({**version.content, "max_price": _published_limit(version, limit)})


def _published_limit(version: TariffVersion, limit: Decimal | None) -> dict[str, float] | None:
    """The lower of the version's own cap and a gross `limit`, as OCPI Price."""
    cap = version.content["max_price"]
    limits: list[Price | PriceLimit] = [] if cap is None else [PriceLimit.from_ocpi(cap, "max_price")]
    if limit is not None:
        limits.append(_max_limit(version, limit))
    lowest = min(limits, key=lambda one: one.incl_vat or one.excl_vat, default=None)
    return None if lowest is None else lowest.to_ocpi()


def _max_limit(version: TariffVersion, gross: Decimal) -> Price:
    elements = [TariffElement.from_ocpi(element, "elements") for element in version.content["elements"]]
    return max_limit(gross, prices_of(elements))
