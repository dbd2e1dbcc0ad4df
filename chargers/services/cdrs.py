"""The final record of a session (OCPI 2.2.1 mod_cdrs)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import transaction

from chargers.choices import StopReason
from chargers.models import CDR, ChargingSession
from chargers.services.metering import ZERO, Priced
from infrastructure import outbox
from tariffs.pricing import Cost, Price, ocpi_number

REMARKS = {
    StopReason.DRIVER: "Stopped by the driver.",
    StopReason.PARTNER: "Stopped from the payment terminal or app.",
    StopReason.LIMIT: "Stopped by us at the pre-authorised amount.",
    StopReason.STAFF: "Stopped by the operator.",
    StopReason.CHARGER: "Stopped by the charger.",
}


def create_cdr(session: ChargingSession, priced: Priced, remark: str = "") -> CDR:
    """Exactly one that is not credited per session, in the transaction that ends it; free without a tariff.

    With a reservation it begins there (2.2.1 mod_cdrs, `start_date_time`); `remark` "" says who stopped.
    """
    return create_cdrs([(session, priced, remark)])[0]


def create_cdrs(bills: Iterable[tuple[ChargingSession, Priced, str]]) -> list[CDR]:
    """`create_cdr` of several sessions."""
    created = CDR.objects.bulk_create(_cdr(session, priced, remark) for session, priced, remark in bills)
    outbox.record("cdr", *(cdr.pk for cdr in created))
    return created


def _cdr(session: ChargingSession, priced: Priced, remark: str) -> CDR:
    begins_at = session.reserved_at or session.started_at
    if begins_at is None:
        raise ValueError(f"session {session.pk} has not started")
    total = priced.cost.total if priced.cost else Price(ZERO, ZERO)
    return CDR(
        session=session,
        currency=session.currency,
        start_date_time=begins_at,
        end_date_time=priced.end,
        charging_periods=session.charging_periods,
        total_energy=priced.kwh,
        total_time=priced.hours,
        total_parking_time=priced.parking_hours,
        total_cost_excl_vat=ocpi_number(total.excl_vat),
        total_cost_incl_vat=ocpi_number(total.incl_vat),
        retail_total_incl_vat=priced.retail_total,
        cost=cost_as_json(priced.cost),
        retail_cost=cost_as_json(priced.retail) if priced.retail else None,
        remark=remark or REMARKS[StopReason(session.stop_reason)],
    )


CREDIT_SUFFIX = "-C"


def credit_cdr(cdr: CDR, reason: str) -> CDR:
    """Takes a CDR back: the same content with only the total cost negated, under an id of its own.

    Raises ValueError for a credit CDR; a CDR is credited once, a repetition answers the credit that exists.
    """
    if cdr.is_credit:
        raise ValueError("A credit CDR cannot be credited.")
    with transaction.atomic():
        original = CDR.objects.select_for_update().get(pk=cdr.pk)
        existing = original.credits.first()
        if existing is not None:
            return existing
        credit = CDR.objects.create(
            uid=f"{original.uid}{CREDIT_SUFFIX}",
            session=original.session,
            currency=original.currency,
            start_date_time=original.start_date_time,
            end_date_time=original.end_date_time,
            charging_periods=original.charging_periods,
            total_energy=original.total_energy,
            total_time=original.total_time,
            total_parking_time=original.total_parking_time,
            total_cost_excl_vat=-original.total_cost_excl_vat,
            total_cost_incl_vat=-original.total_cost_incl_vat,
            retail_total_incl_vat=_negated(original.retail_total_incl_vat),
            cost=original.cost,
            retail_cost=original.retail_cost,
            remark=reason[:255],
            invoice_reference_id=original.invoice_reference_id,
            is_credit=True,
            credited=original,
        )
        CDR.objects.filter(pk=original.pk).update(credited_at=credit.created_at)
        outbox.record("cdr", credit.pk)
    return credit


def cost_as_json(cost: Cost | None) -> dict[str, Any]:
    """Amounts with four decimals, in text; see `CDR.cost`."""
    if cost is None:
        return {"total": _price(Price(ZERO, ZERO)), "lines": [], "vat_totals": []}
    parts = ("total", "fixed", "energy", "time", "parking", "reservation")
    return {
        **{part: _price(getattr(cost, part)) for part in parts},
        "lines": [
            {
                "dimension": line.dimension.value,
                "unit_price": str(line.price),
                "vat": _optional(line.vat),
                "quantity": _number(line.quantity),
                **_price(Price(line.excl_vat, line.incl_vat)),
            }
            for line in cost.lines
        ],
        "vat_totals": [
            {
                "vat": _optional(total.rate),
                "net": str(total.net),
                "vat_amount": str(total.vat),
                "gross": str(total.gross),
            }
            for total in cost.vat_totals()
        ],
    }


def _price(price: Price) -> dict[str, str]:
    return {"excl_vat": _number(price.excl_vat), "incl_vat": _number(price.incl_vat)}


def _number(value: Decimal) -> str:
    return str(ocpi_number(value))


def _negated(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
