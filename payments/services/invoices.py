"""Invoices: opened with the CDR and never changed, except for the card data that the advice brings later."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.models import CDR, ChargingSession
from infrastructure.models import Location, Operator
from payments import invoices as content
from payments.choices import CaptureStatusCode, InvoiceCreator
from payments.models import FinancialAdviceConfirmation, Invoice, InvoiceSeries, Terminal
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform


def open_invoice(cdr_id: int) -> Invoice | None:
    """Consumer of "cdr": the driver's invoice, once per CDR; its number becomes the CDR's invoice reference.

    None when nobody paid at a terminal or the PTP makes the invoice (DirectPayment v1.9, 4.3).
    """
    with transaction.atomic():
        cdr = CDR.objects.select_for_update(of=("self",)).select_related("session__connector").get(pk=cdr_id)
        existing = Invoice.objects.filter(cdr=cdr).first()
        if existing is not None:
            return existing
        session = cdr.session
        platform = paying_platform(session)
        if platform is None or cdr.is_credit:
            return None
        _link_parked_advices(platform, session)
        if invoice_creator(session, platform) == InvoiceCreator.PTP:
            return None
        invoice = _create_invoice(cdr, session, platform)
        CDR.objects.filter(pk=cdr.pk).update(invoice_reference_id=invoice.number)
        refresh_capture(invoice)
    return invoice


def paying_platform(session: ChargingSession) -> RoamingPlatform | None:
    """The PTP at whose terminal the session was paid."""
    if not session.peer_id:
        return None
    return RoamingPlatform.objects.filter(peer_id=session.peer_id, type=PlatformType.PTP).first()


def invoice_creator(session: ChargingSession, platform: RoamingPlatform) -> InvoiceCreator:
    """Who invoices the driver: we, unless every terminal that serves the EVSE says that the PTP does."""
    if session.connector is None:
        return InvoiceCreator.CPO
    evse = session.connector.evse
    serving = Terminal.objects.filter(
        Q(locations=evse.charger.location_id) | Q(evses=evse), platform=platform
    ).distinct()
    creators = set(serving.values_list("invoice_creator", flat=True))
    return InvoiceCreator.PTP if creators == {InvoiceCreator.PTP.value} else InvoiceCreator.CPO


def _create_invoice(cdr: CDR, session: ChargingSession, platform: RoamingPlatform) -> Invoice:
    operator = _seller_of(session)
    issued_at = timezone.now()
    amounts = content.content(cdr.cost, cdr.total_cost_incl_vat, cdr.currency)
    return Invoice.objects.create(
        operator=operator,
        platform=platform,
        cdr=cdr,
        # References are optional in OCPI; the session's own id is as unique.
        authorization_reference=session.authorization_reference or session.uid,
        number=_next_number(operator, issued_at.astimezone(ZoneInfo(session.time_zone))),
        issued_at=issued_at,
        seller=content.seller(operator),
        place=session.place,
        lines=amounts.lines,
        vat_totals=amounts.vat_totals,
        currency=cdr.currency,
        total_net=amounts.total_net,
        total_gross=amounts.total_gross,
        preauthorised=session.limit,
        stop_reason=content.stop_reason(session.stop_reason, cdr.remark),
    )


def _seller_of(session: ChargingSession) -> Operator:
    """Raises LookupError when neither the connector nor the area of the session exists any more."""
    if session.connector is not None:
        return session.connector.evse.charger.location.operator
    area = Location.objects.filter(roaming_id__iexact=session.place.get("id", "")).first()
    if area is None:
        raise LookupError(f"The area of session {session} was deleted, so its operator is unknown.")
    return area.operator


def _next_number(operator: Operator, local_date: datetime) -> str:
    """Takes the next number of the operator's year, for example 2026-001-000042, without ever leaving one out.

    The lock lasts to the end of the caller's transaction: a number that is rolled back is given again.
    """
    InvoiceSeries.objects.get_or_create(operator=operator, year=local_date.year)
    series = InvoiceSeries.objects.select_for_update().get(operator=operator, year=local_date.year)
    series.last_number += 1
    series.save(update_fields=["last_number"])
    return f"{series.year}-{operator.pk:03d}-{series.last_number:06d}"


def _link_parked_advices(platform: RoamingPlatform, session: ChargingSession) -> None:
    if session.authorization_reference:
        FinancialAdviceConfirmation.objects.filter(
            platform=platform, authorization_reference__iexact=session.authorization_reference, session=None
        ).update(session=session)


def refresh_capture(invoice: Invoice) -> None:
    """Writes the newest advice of the invoice's reference on it; several come after a failed capture."""
    advices = FinancialAdviceConfirmation.objects.filter(
        platform=invoice.platform_id, authorization_reference__iexact=invoice.authorization_reference
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
    Invoice.objects.filter(pk=invoice.pk).update(enriched_at=timezone.now(), **capture)
    invoice.refresh_from_db()
