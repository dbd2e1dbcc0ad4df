"""Monthly totals as bars of an inline SVG: billed beside captured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from payments.services.reconciliation import Month
from payments.sheets import amount

HEIGHT, WIDTH = 160, 720
MONTHS = 12
SLOT = WIDTH // MONTHS
BAR = 18


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    height: int
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Label:
    x: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`rows` say the same in numbers, for whoever does not see the bars."""

    currency: str
    bars: Sequence[Bar]
    labels: Sequence[Label]
    largest: str
    rows: Sequence[tuple[str, str, str]]
    width: int = WIDTH
    height: int = HEIGHT
    bar: int = BAR
    label_y: int = HEIGHT + 16
    full_height: int = HEIGHT + 24


def chart_of(found: Sequence[Month], first: datetime, currency: str) -> Chart:
    """`found` of one currency, `first` the beginning of the twelve months."""
    largest = max((abs(value) for one in found for value in (one.billed, one.captured)), default=Decimal(0))
    by_month = {(one.month.year, one.month.month): one for one in found}
    bars, labels, rows = [], [], []
    for index in range(MONTHS):
        year, month = divmod(first.year * 12 + first.month - 1 + index, 12)
        begin = date(year, month + 1, 1)
        name = date_format(begin, "M Y")
        labels.append(Label(index * SLOT + SLOT // 2, date_format(begin, "M")))
        one = by_month.get((year, month + 1))
        if one is None:
            continue
        rows.append((name, amount(one.billed, currency), amount(one.captured, currency)))
        beside = (
            (-BAR - 1, "billed", one.billed, _("%(month)s: %(amount)s billed")),
            (1, "captured", one.captured, _("%(month)s: %(amount)s captured")),
        )
        for offset, kind, value, told in beside:
            height = _height(value, largest)
            title = told % {"month": name, "amount": amount(value, currency)}
            bars.append(Bar(index * SLOT + SLOT // 2 + offset, HEIGHT - height, height, title, kind))
    return Chart(currency, bars, labels, amount(largest, currency), rows)


def _height(value: Decimal, largest: Decimal) -> int:
    """A month of credits alone has no bar; its number stands in the table."""
    return int(value * (HEIGHT - 10) / largest) if largest and value > 0 else 0
