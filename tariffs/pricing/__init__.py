"""The pricing engine: OCPI 2.2.1 tariff semantics as pure functions over frozen values.

A session is priced from the numbers that are published and under the tariff that is published; there is no second
way. No clock, no Django: standard library only.
"""

from tariffs.pricing.cost import Cost, CostDimension, CostLine, VatTotal
from tariffs.pricing.emit import Detail, DetailPrice, emit_elements, max_limit, min_limit
from tariffs.pricing.engine import cost_now, price_each_period, price_periods
from tariffs.pricing.errors import PricingError
from tariffs.pricing.periods import ChargingPeriod, read_periods, split_session
from tariffs.pricing.retail import RetailTerms
from tariffs.pricing.rounding import json_number, money, ocpi_number, price_for_ocpi
from tariffs.pricing.tariff import (
    DayOfWeek,
    Dimension,
    Price,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
)

__all__ = [
    "ChargingPeriod",
    "Cost",
    "CostDimension",
    "CostLine",
    "DayOfWeek",
    "Detail",
    "DetailPrice",
    "Dimension",
    "Price",
    "PriceComponent",
    "PriceLimit",
    "PricingError",
    "ReservationRestriction",
    "Restrictions",
    "RetailTerms",
    "Tariff",
    "TariffElement",
    "VatTotal",
    "cost_now",
    "emit_elements",
    "json_number",
    "max_limit",
    "min_limit",
    "money",
    "ocpi_number",
    "price_each_period",
    "price_for_ocpi",
    "price_periods",
    "read_periods",
    "split_session",
]
