"""Invoices: opened with the CDR and never changed, except for the card data that the advice brings later; what was
wrong is taken back with a credit note."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.models import CDR, ChargingSession
from chargers.services.cdrs import credit_cdr
from infrastructure.models import Location, Operator
from payments import invoices as content
from payments.choices import CaptureStatusCode, InvoiceCreator, InvoiceKind, RevisionReason
from payments.models import FinancialAdviceConfirmation, Invoice, InvoiceSeries, Terminal
from payments.services.revisions import record_revision
from payments.services.terminal_guess import terminal_of
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform


def open_invoice(cdr_id: int) -> Invoice | None:
    """Consumer of "cdr": the driver's invoice, once per CDR; its number becomes the CDR's invoice reference.

    A credit CDR gives the credit note to the invoice of the CDR that it takes back. None when nobody paid at a
    terminal or the PTP makes the invoice (DirectPayment v1.9, 4.3).
    """
    with transaction.atomic():
        cdr = CDR.objects.select_for_update(of=("self",)).select_related("session__connector").get(pk=cdr_id)
        existing = Invoice.objects.filter(cdr=cdr).first()
        if existing is not None:
            return existing
        session = cdr.session
        platform = paying_platform(session)
        if platform is None:
            return None
        if cdr.is_credit:
            return _open_credit_note(cdr)
        _link_parked_advices(platform, session)
        if _decide_creator(session, platform) == InvoiceCreator.PTP:
            return None
        invoice = _create_invoice(cdr, session, platform)
        CDR.objects.filter(pk=cdr.pk).update(invoice_reference_id=invoice.number)
        record_revision(invoice, RevisionReason.ISSUED)
        refresh_capture(invoice)
    return invoice


def credit_invoice(invoice: Invoice, reason: str) -> Invoice:
    """Takes an invoice and its CDR back; a repetition answers the credit note that exists.

    Raises ValueError for a credit note.
    """
    with transaction.atomic():
        note = open_invoice(credit_cdr(invoice.cdr, reason).pk)
    assert note is not None  # there is an invoice to credit
    return note


def paying_platform(session: ChargingSession) -> RoamingPlatform | None:
    """The PTP at whose terminal the session was paid."""
    if not session.peer_id:
        return None
    return RoamingPlatform.objects.filter(peer_id=session.peer_id, type=PlatformType.PTP).first()


def invoice_creator(session: ChargingSession, platform: RoamingPlatform) -> InvoiceCreator:
    """Who invoices the driver: we, unless every terminal that serves the EVSE says that the PTP does.

    Whatever becomes of the terminals later: what was decided with the session's first CDR holds for its corrections.
    """
    if session.invoice_creator:
        return InvoiceCreator(session.invoice_creator)
    if session.connector is None:
        return InvoiceCreator.CPO
    evse = session.connector.evse
    serving = Terminal.objects.filter(
        Q(locations=evse.charger.location_id) | Q(evses=evse), platform=platform
    ).distinct()
    # Those that the PTP no longer lists serve nothing, unless no other is left to say.
    present = serving.filter(missing_since=None)
    creators = set((present if present.exists() else serving).values_list("invoice_creator", flat=True))
    return InvoiceCreator.PTP if creators == {InvoiceCreator.PTP.value} else InvoiceCreator.CPO


def _decide_creator(session: ChargingSession, platform: RoamingPlatform) -> InvoiceCreator:
    """Writes the decision down, and where it was paid; of two CDRs handled at once the first one's holds.

    Once and for all: a terminal that moves later takes no closed month along.
    """
    if not session.invoice_creator:
        creator, terminal_id = invoice_creator(session, platform), terminal_of(session, platform)
        undecided = ChargingSession.objects.filter(pk=session.pk, invoice_creator="")
        undecided.update(invoice_creator=creator, terminal_id=terminal_id)
        session.refresh_from_db(fields=["invoice_creator", "terminal_id"])
    return InvoiceCreator(session.invoice_creator)


def _create_invoice(cdr: CDR, session: ChargingSession, platform: RoamingPlatform) -> Invoice:
    replaces = _replaced(cdr)
    # Whoever sold goes on to be the seller, though the area may be another's now, or gone.
    operator = replaces.operator if replaces else _seller_of(session)
    seller, issued_at = content.seller(operator), timezone.now()
    amounts = content.content(cdr.driver_cost, cdr.driver_total_incl_vat or Decimal(0), cdr.currency)
    return Invoice.objects.create(
        operator=operator,
        platform=platform,
        cdr=cdr,
        # References are optional in OCPI; the session's own id is as unique.
        authorization_reference=session.authorization_reference or session.uid,
        number=_next_number(operator, seller, issued_at),
        issued_at=issued_at,
        seller=seller,
        place=session.place,
        lines=amounts.lines,
        vat_totals=amounts.vat_totals,
        currency=cdr.currency,
        total_net=amounts.total_net,
        total_gross=amounts.total_gross,
        preauthorised=session.limit,
        stop_reason=content.stop_reason(session.stop_reason, cdr.remark),
        stopped_by=session.stop_reason,
        replaces=replaces,
    )


def _replaced(cdr: CDR) -> Invoice | None:
    """The session's last invoice before this CDR's; it was credited, and what is billed now stands in its place."""
    session = cdr.session
    for credit in CDR.objects.filter(session=session, is_credit=True, invoice=None, credited__lt=cdr.pk):
        open_invoice(credit.pk)  # whose own event may still wait
    credited = Invoice.objects.filter(cdr__session=session, kind=InvoiceKind.INVOICE).exclude(credited_at=None)
    return credited.order_by("-pk").first()


def _open_credit_note(credit: CDR) -> Invoice | None:
    """None where there was no invoice of ours."""
    # The invoice may still wait for its own event.
    original = open_invoice(credit.credited_id) if credit.credited_id else None
    if original is None:
        return None
    note = _create_credit_note(credit, original)
    Invoice.objects.filter(pk=original.pk).update(credited_at=note.issued_at)
    # The credit CDR repeats the invoice reference of the CDR that it takes back (2.2.1 mod_cdrs).
    CDR.objects.filter(pk=credit.pk, invoice_reference_id="").update(invoice_reference_id=original.number)
    record_revision(note, RevisionReason.ISSUED)
    record_revision(original, RevisionReason.CREDITED)
    return note


def _create_credit_note(credit: CDR, original: Invoice) -> Invoice:
    issued_at = timezone.now()
    return Invoice.objects.create(
        kind=InvoiceKind.CREDIT_NOTE,
        credits=original,
        operator=original.operator,
        platform=original.platform,
        cdr=credit,
        authorization_reference=original.authorization_reference,
        number=_next_number(original.operator, original.seller, issued_at, InvoiceKind.CREDIT_NOTE),
        issued_at=issued_at,
        seller=original.seller,
        place=original.place,
        lines=content.negated(original.lines),
        vat_totals=content.negated(original.vat_totals),
        currency=original.currency,
        total_net=-original.total_net,
        total_gross=-original.total_gross,
        stop_reason=credit.remark,
    )


def _seller_of(session: ChargingSession) -> Operator:
    """Raises LookupError when neither the connector nor the area of the session exists any more."""
    if session.connector is not None:
        return session.connector.evse.charger.location.operator
    area = Location.objects.filter(roaming_id__iexact=session.place.get("id", "")).first()
    if area is None:
        raise LookupError(f"The area of session {session} was deleted, so its operator is unknown.")
    return area.operator


def _next_number(
    operator: Operator, seller: dict[str, Any], issued_at: datetime, kind: InvoiceKind = InvoiceKind.INVOICE
) -> str:
    """Takes the next number of the operator's year, for example 2026-001-000042, without ever leaving one out; credit
    notes have numbers of their own, 2026-001-C000001. It is the year in the seller's time zone, wherever was charged.

    The lock lasts to the end of the caller's transaction: a number that is rolled back is given again.
    """
    year = issued_at.astimezone(ZoneInfo(seller["time_zone"])).year
    named: dict[str, Any] = {"operator": operator, "year": year, "kind": kind}
    InvoiceSeries.objects.get_or_create(**named)
    series = InvoiceSeries.objects.select_for_update().get(**named)
    series.last_number += 1
    series.save(update_fields=["last_number"])
    mark = "C" if kind == InvoiceKind.CREDIT_NOTE else ""
    return f"{series.year}-{operator.pk:03d}-{mark}{series.last_number:06d}"


def missing_numbers(series: InvoiceSeries) -> int:
    """How many of the numbers given so far belong to no invoice: always 0, or rows were deleted."""
    stem = f"{series.year}-{series.operator_id:03d}-"
    issued = Invoice.objects.filter(operator=series.operator_id, kind=series.kind, number__startswith=stem)
    return series.last_number - issued.count()


def _link_parked_advices(platform: RoamingPlatform, session: ChargingSession) -> None:
    if session.authorization_reference:
        FinancialAdviceConfirmation.objects.filter(
            platform=platform, authorization_reference__iexact=session.authorization_reference, session=None
        ).update(session=session)


def refresh_capture(invoice: Invoice) -> None:
    """Writes the newest advice of the invoice's reference on it; several come after a failed capture.

    A credit note is not paid, and what is captured after a correction belongs to the corrected invoice.
    """
    if invoice.is_credit_note or invoice.replacements.exists():
        return
    # A person may have given an advice to the session whatever its reference says, or taken one from it.
    named = Q(session=None, authorization_reference__iexact=invoice.authorization_reference)
    advices = FinancialAdviceConfirmation.objects.filter(
        named | Q(session=invoice.cdr.session_id), platform=invoice.platform_id
    )
    newest = advices.order_by("-last_updated", "-pk").first()
    if newest is not None:
        enrich_invoice(invoice, newest)
    elif invoice.advice_id is not None:
        _write_capture(invoice, advice=None, eft_data=[], capture_status_code="", captured_gross=None)


def enrich_invoice(invoice: Invoice, advice: FinancialAdviceConfirmation) -> None:
    """Adds the card data as a dated addendum; number, date, seller, lines and totals stay."""
    is_failed = advice.capture_status_code == CaptureStatusCode.FAILED
    _write_capture(
        invoice,
        advice=advice,
        eft_data=advice.eft_data,
        capture_status_code=advice.capture_status_code,
        captured_gross=Decimal(0) if is_failed else advice.total_gross,
    )


def _write_capture(invoice: Invoice, **capture: Any) -> None:
    if all(getattr(invoice, name) == value for name, value in capture.items()):
        return
    with transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(enriched_at=timezone.now(), **capture)
        invoice.refresh_from_db()
        record_revision(invoice, RevisionReason.CARD_DATA)
