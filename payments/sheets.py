"""An invoice as the driver reads it: every value as text in the driver's language, times in the area's time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone, translation
from django.utils.formats import date_format

from payments.choices import CaptureStatusCode
from payments.invoices import plain
from payments.models import Invoice
from payments.texts import DEFAULT, LANGUAGES, Texts
from payments.texts.countries import country_name
from tariffs.pricing.rounding import money

Json = dict[str, Any]

WAIT_FOR_CARD_DATA = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Addendum:
    """What an invoice says beside its fixed content, as of one moment."""

    capture_status_code: str
    captured_gross: Decimal | None
    captured_currency: str
    eft_data: list[str]
    enriched_at: datetime | None
    credit_note: str
    credited_at: datetime | None


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
    title: str
    number: str
    reference: str
    issued: str
    currency: str
    total: str
    seller: Json
    place: list[str]
    evse_id: str
    period: str
    duration: str
    energy: str
    stop_reason: str
    reason: str  # of a credit
    rows: list[Row]
    vat_rows: list[VatRow]
    preauthorised: str
    captured: str
    payment: Payment
    notices: list[str]
    eft_data: list[str]
    enriched: str
    is_waiting: bool  # for the card data, so that the page looks again


def addendum_of(invoice: Invoice) -> Addendum:
    """As of now; `advice` and `credit_note` loaded."""
    note = getattr(invoice, "credit_note", None)
    return Addendum(
        capture_status_code=invoice.capture_status_code,
        captured_gross=invoice.captured_gross,
        captured_currency=invoice.advice.currency if invoice.advice else "",
        eft_data=invoice.eft_data,
        enriched_at=invoice.enriched_at,
        credit_note=note.number if note else "",
        credited_at=invoice.credited_at,
    )


def sheet_of(invoice: Invoice, language: str = DEFAULT, addendum: Addendum | None = None) -> Sheet:
    """`invoice` with its CDR, session and advice loaded; `addendum` None says how things are now."""
    with translation.override(language):
        return _sheet(invoice, language, addendum or addendum_of(invoice))


def seller_zone(invoice: Invoice) -> ZoneInfo:
    """Of the days on which invoices and credit notes are issued; what happened at the charger has the area's times."""
    return ZoneInfo(invoice.seller["time_zone"])


def _sheet(invoice: Invoice, language: str, addendum: Addendum) -> Sheet:
    texts = LANGUAGES[language]
    zone = ZoneInfo(invoice.cdr.session.time_zone)
    start, end = invoice.cdr.start_date_time.astimezone(zone), invoice.cdr.end_date_time.astimezone(zone)
    number = texts.style.number
    stopped = texts.stopped.get(invoice.stopped_by, invoice.stop_reason)
    return Sheet(
        title=texts.credit_note if invoice.is_credit_note else texts.invoice,
        number=invoice.number,
        reference=invoice.authorization_reference,
        issued=_day(invoice.issued_at.astimezone(seller_zone(invoice)), texts),
        currency=invoice.currency,
        total=number(money(invoice.total_gross, invoice.currency)),
        seller=invoice.seller,
        place=_place(invoice.place, language),
        evse_id=invoice.place.get("evse_id", ""),
        period=_period(start, end, texts),
        duration=_duration(end - start),
        energy=f"{number(plain(invoice.cdr.total_energy, 3))} kWh",
        stop_reason="" if invoice.is_credit_note else stopped,
        reason=invoice.stop_reason if invoice.is_credit_note else "",
        rows=[_row(line, invoice.currency, texts) for line in invoice.lines],
        vat_rows=list(_vat_rows(invoice, texts)),
        preauthorised="" if invoice.preauthorised is None else amount(invoice.preauthorised, invoice.currency, texts),
        captured=_captured(addendum, texts),
        payment=_payment(invoice, addendum, texts),
        notices=list(_notices(invoice, addendum, texts)),
        eft_data=addendum.eft_data,
        enriched=_moment(addendum.enriched_at.astimezone(zone), texts) if addendum.enriched_at else "",
        is_waiting=_is_waiting(invoice, addendum),
    )


def amount(value: Decimal, currency: str, texts: Texts = LANGUAGES[DEFAULT]) -> str:
    return f"{texts.style.number(money(value, currency))} {currency}"


def payment_of(invoice: Invoice, language: str = DEFAULT) -> Payment:
    return _payment(invoice, addendum_of(invoice), LANGUAGES[language])


def _payment(invoice: Invoice, addendum: Addendum, texts: Texts) -> Payment:
    total = amount(invoice.total_gross, invoice.currency, texts)
    captured = _captured(addendum, texts)
    if invoice.is_credit_note:
        return Payment("pending", texts.credit, texts.credit_text)
    match addendum.capture_status_code:
        case CaptureStatusCode.SUCCESS:
            is_exact = captured == total
            text = texts.paid_text if is_exact else texts.charged_text.format(amount=captured)
            return Payment("good" if is_exact else "warning", texts.paid, text)
        case CaptureStatusCode.PARTIAL_SUCCESS:
            return Payment("warning", texts.partly, texts.partly_text.format(amount=captured, total=total))
        case CaptureStatusCode.FAILED:
            return Payment("bad", texts.not_paid, texts.not_paid_text)
    if not invoice.total_gross:
        return Payment("good", texts.nothing, texts.nothing_text)
    return Payment("pending", texts.pending, texts.pending_text)


def _notices(invoice: Invoice, addendum: Addendum, texts: Texts) -> list[str]:
    notices = []
    if invoice.credits is not None:
        notices.append(texts.credits_invoice.format(number=invoice.credits.number))
    if addendum.credit_note and addendum.credited_at:
        day = _day(addendum.credited_at.astimezone(seller_zone(invoice)), texts)
        notices.append(texts.credited_by.format(number=addendum.credit_note, date=day))
    if invoice.replaces is not None:
        notices.append(texts.replaces.format(number=invoice.replaces.number))
    return notices


def _is_waiting(invoice: Invoice, addendum: Addendum) -> bool:
    is_settled = addendum.capture_status_code or invoice.is_credit_note or addendum.credited_at
    return not is_settled and timezone.now() - invoice.issued_at < WAIT_FOR_CARD_DATA


def _captured(addendum: Addendum, texts: Texts) -> str:
    if addendum.captured_gross is None or not addendum.captured_currency:
        return ""
    return amount(addendum.captured_gross, addendum.captured_currency, texts)


def _place(place: Json, language: str) -> list[str]:
    town = " ".join(part for part in (place.get("postal_code"), place.get("city")) if part)
    country = country_name(place.get("country") or "", language)
    return [line for line in (place.get("name"), place.get("address"), town, country) if line]


def _row(line: Json, currency: str, texts: Texts) -> Row:
    number = texts.style.number
    text = texts.lines.get(line["dimension"], line["text"])
    vat, gross = _rate(line["vat"], texts), number(line["gross"])
    if not (line["unit_price"] and line["unit"]):
        return Row(text, "", vat, gross)
    detail = f"{number(line['quantity'])} {line['unit']} × {number(line['unit_price'])} {currency}/{line['unit']}"
    return Row(text, detail, vat, gross)


def _vat_rows(invoice: Invoice, texts: Texts) -> Iterator[VatRow]:
    """One per rate, and their sum where there are several."""
    for entry in invoice.vat_totals:
        yield _vat_row(entry, texts)
    if len(invoice.vat_totals) > 1:
        amounts = (invoice.total_net, invoice.total_gross - invoice.total_net, invoice.total_gross)
        yield VatRow(texts.sum, *(texts.style.number(money(value, invoice.currency)) for value in amounts))


def _vat_row(entry: Json, texts: Texts) -> VatRow:
    number = texts.style.number
    rate = _rate(entry["vat"], texts)
    return VatRow(rate, number(entry["net"]), number(entry["vat_amount"]), number(entry["gross"]))


def _rate(vat: str | None, texts: Texts) -> str:
    return "–" if vat is None else f"{texts.style.number(plain(Decimal(vat), 2))} %"


def _day(value: datetime, texts: Texts) -> str:
    return date_format(value, texts.style.day)


def _moment(value: datetime, texts: Texts) -> str:
    return f"{_day(value, texts)}, {value:%H:%M}"


def _period(start: datetime, end: datetime, texts: Texts) -> str:
    until = f"{end:%H:%M}" if start.date() == end.date() else _moment(end, texts)
    return f"{_moment(start, texts)} – {until} {end:%Z}"


def _duration(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s"
