"""An invoice as the driver reads it: every value as text, times in the area's time zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format

from payments.choices import CaptureStatusCode
from payments.invoices import plain
from payments.models import Invoice
from tariffs.pricing.rounding import money

Json = dict[str, Any]

WAIT_FOR_CARD_DATA = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Payment:
    """How far the card payment is, in plain words; `tone` picks the colour."""

    tone: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    detail: str
    vat: str
    amount: str


@dataclass(frozen=True, slots=True)
class VatRow:
    rate: str
    net: str
    vat_amount: str
    gross: str


@dataclass(frozen=True, slots=True)
class Sheet:
    number: str
    reference: str
    issued: str
    currency: str
    total: str
    total_net: str
    seller: Json
    place: list[str]
    evse_id: str
    period: str
    duration: str
    energy: str
    stop_reason: str
    rows: list[Row]
    vat_rows: list[VatRow]
    preauthorised: str
    captured: str
    payment: Payment
    eft_data: list[str]
    enriched: str
    is_waiting: bool  # for the card data, so that the page looks again


def sheet_of(invoice: Invoice) -> Sheet:
    """`invoice` with its CDR, session and advice loaded."""
    zone = ZoneInfo(invoice.cdr.session.time_zone)
    start, end = invoice.cdr.start_date_time.astimezone(zone), invoice.cdr.end_date_time.astimezone(zone)
    return Sheet(
        number=invoice.number,
        reference=invoice.authorization_reference,
        issued=_day(invoice.issued_at.astimezone(zone)),
        currency=invoice.currency,
        total=str(money(invoice.total_gross, invoice.currency)),
        total_net=amount(invoice.total_net, invoice.currency),
        seller=invoice.seller,
        place=_place(invoice.place),
        evse_id=invoice.place.get("evse_id", ""),
        period=_period(start, end),
        duration=_duration(end - start),
        energy=f"{plain(invoice.cdr.total_energy, 3)} kWh",
        stop_reason=invoice.stop_reason,
        rows=[_row(line, invoice.currency) for line in invoice.lines],
        vat_rows=[_vat_row(entry) for entry in invoice.vat_totals],
        preauthorised="" if invoice.preauthorised is None else amount(invoice.preauthorised, invoice.currency),
        captured=_captured(invoice),
        payment=payment_of(invoice),
        eft_data=invoice.eft_data,
        enriched=_moment(invoice.enriched_at.astimezone(zone)) if invoice.enriched_at else "",
        is_waiting=not invoice.capture_status_code and timezone.now() - invoice.issued_at < WAIT_FOR_CARD_DATA,
    )


def amount(value: Decimal, currency: str) -> str:
    return f"{money(value, currency)} {currency}"


def payment_of(invoice: Invoice) -> Payment:
    total = amount(invoice.total_gross, invoice.currency)
    captured = _captured(invoice)
    match invoice.capture_status_code:
        case CaptureStatusCode.SUCCESS:
            is_exact = captured == total
            text = "The card was charged." if is_exact else f"{captured} were charged to the card."
            return Payment("good" if is_exact else "warning", "Paid by card", text)
        case CaptureStatusCode.PARTIAL_SUCCESS:
            return Payment("warning", "Partly paid", f"{captured} of {total} were charged to the card.")
        case CaptureStatusCode.FAILED:
            return Payment("bad", "Not paid", "The card could not be charged.")
    if not invoice.total_gross:
        return Payment("good", "Nothing to pay", "This session was free of charge.")
    return Payment("pending", "Not yet captured", "The card will be charged shortly.")


def _captured(invoice: Invoice) -> str:
    if invoice.captured_gross is None or invoice.advice is None:
        return ""
    return amount(invoice.captured_gross, invoice.advice.currency)


def _place(place: Json) -> list[str]:
    town = " ".join(part for part in (place.get("postal_code"), place.get("city"), place.get("country")) if part)
    return [line for line in (place.get("name"), place.get("address"), town) if line]


def _row(line: Json, currency: str) -> Row:
    quantity = f"{line['quantity']} {line['unit']}".strip()
    price = f"{line['unit_price']} {currency}" + (f"/{line['unit']}" if line["unit"] else "")
    has_price = bool(line["unit_price"]) and bool(line["unit"])
    return Row(line["text"], f"{quantity} × {price}" if has_price else "", _rate(line["vat"]), line["gross"])


def _vat_row(entry: Json) -> VatRow:
    return VatRow(_rate(entry["vat"]), entry["net"], entry["vat_amount"], entry["gross"])


def _rate(vat: str | None) -> str:
    return "–" if vat is None else f"{plain(Decimal(vat), 2)} %"


def _day(value: datetime) -> str:
    return date_format(value, "j F Y")


def _moment(value: datetime) -> str:
    return f"{_day(value)}, {value:%H:%M}"


def _period(start: datetime, end: datetime) -> str:
    until = f"{end:%H:%M}" if start.date() == end.date() else _moment(end)
    return f"{_moment(start)} – {until} {end:%Z}"


def _duration(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s"
