from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a language writes numbers and days; `day` is a date format of Django's."""

    decimal: str
    thousands: str
    day: str

    def number(self, value: Decimal | str) -> str:
        """The decimals of `value` as they are."""
        sign, text = ("-", str(value)[1:]) if str(value).startswith("-") else ("", str(value))
        whole, _, decimals = text.partition(".")
        grouped = f"{int(whole or 0):,}".replace(",", self.thousands)
        return f"{sign}{grouped}{self.decimal}{decimals}" if decimals else f"{sign}{grouped}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    name: str  # of the language, in the language
    style: Style

    invoice: str
    credit_note: str
    date: str
    charging_session: str
    place: str
    charge_point: str
    time: str
    duration: str
    energy: str
    end: str
    reason: str
    price: str
    item: str
    vat: str
    rate: str
    net: str
    gross: str
    sum: str
    free_of_charge: str
    total: str
    payment: str
    preauthorised: str
    captured: str
    status: str
    as_of: str
    reference: str
    card_receipt: str
    vat_number: str
    help_line: str
    download: str
    online: str
    page: str  # {page} {pages}
    language: str

    credits_invoice: str  # {number}
    credited_by: str  # {number} {date}
    replaces: str  # {number}
    replaced_by: str  # {number}

    lines: Mapping[str, str]  # per dimension
    stopped: Mapping[str, str]  # per StopReason

    paid: str
    paid_text: str
    charged_text: str  # {amount}
    partly: str
    partly_text: str  # {amount} {total}
    not_paid: str
    not_paid_text: str
    nothing: str
    nothing_text: str
    pending: str
    pending_text: str
    credit: str
    credit_text: str

    unknown: tuple[str, str]
    charging: tuple[str, str]
    preparing: tuple[str, str]
    nothing_charged: tuple[str, str]
    made_by_partner: tuple[str, str]
    too_many: tuple[str, str]
