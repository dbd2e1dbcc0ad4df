"""Taking a bill back and writing the right one: a credit CDR and a corrected CDR (OCPI 2.2.1 mod_cdrs)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chargers.choices import SessionStatus, Settlement, StopReason
from chargers.models import CDR, ChargingSession
from chargers.services import completion, metering
from chargers.services.cdrs import create_cdr, credit_cdr
from chargers.services.completion import End
from chargers.services.lock_order import lock_session
from chargers.services.metering import Measured, Priced

NEVER_CHARGED = gettext_lazy("This session never charged, so there is nothing to correct. Credit it instead.")
ALREADY = gettext_lazy("This session has a newer CDR, %(cdr)s. Correct that one.")


@dataclass(frozen=True, slots=True)
class Correction:
    """What the session should have been. `most` is the gross amount it may cost at most; None leaves the price."""

    ended_at: datetime
    kwh: Decimal
    most: Decimal | None = None


def bill_of(session: ChargingSession) -> CDR | None:
    """The CDR that counts, or else the newest one that was credited and not replaced."""
    bills = session.cdrs.filter(is_credit=False).order_by("-pk")
    return bills.filter(credited_at=None).first() or bills.first()


def correction_of(cdr: CDR) -> Correction:
    """What the CDR says now, as a starting point for staff."""
    return Correction(cdr.end_date_time, cdr.total_energy)


def price_correction(cdr: CDR, correction: Correction) -> Priced:
    """The corrected session by the tariff of its start. Raises ValidationError for what cannot have happened."""
    return _price(ChargingSession.objects.select_related("tariff_version").get(pk=cdr.session_id), correction)


def correct_cdr(cdr: CDR, correction: Correction, reason: str) -> CDR:
    """Credits `cdr` unless that is done, and writes the corrected CDR, which leaves like any other.

    The session keeps what was measured. Raises ValidationError when the data cannot be or the CDR is not the
    session's last.
    """
    with transaction.atomic():
        session = lock_session(cdr.session_id)
        assert session is not None  # its CDR protects it
        newest = bill_of(session)
        if newest is None or newest.pk != cdr.pk:
            raise ValidationError(ALREADY % {"cdr": newest})
        priced = _price(session, correction)
        credit_cdr(cdr, reason)
        # In memory only: the record is made of what was corrected.
        metering.write_progress(session, priced)
        return create_cdr(session, priced, f"Corrected: {reason}"[:255])


def price_given_up(session: ChargingSession) -> Priced:
    """What flowed on a session that was given up, by the tariff and the limit of its start."""
    measured = metering.measure(session)
    return metering.price(measured, measured.last.at, limit=session.limit)


def bill_given_up(session_id: int, reason: str) -> CDR:
    """Bills what flowed on a session that was given up, as if it had not been. Raises ValidationError.

    Only ever a person's decision: the partner may have released the money.
    """
    with transaction.atomic():
        session = lock_session(session_id)
        if session is None or session.status != SessionStatus.INVALID or not session.kwh:
            raise ValidationError(_("There is nothing to bill: this session was not given up, or nothing flowed."))
        last = metering.measure(session).last
        settlement = None if session.ended_at else Settlement.STAFF
        remark = f"Billed after it was given up: {reason}"[:255]
        completion.complete(End(session, last.at, last.register_wh, StopReason.STAFF, settlement, remark))
        return session.cdrs.get()


def _price(session: ChargingSession, correction: Correction) -> Priced:
    if session.started_at is None or session.meter_start is None:
        raise ValidationError(NEVER_CHARGED)
    _check(session.started_at, correction)
    session.ended_at = correction.ended_at
    session.meter_stop = session.meter_start + correction.kwh * metering.WATT_HOURS_PER_KWH
    measured = metering.measure(session)
    # What a meter counted beyond the corrected total, for example after a reset, was not so.
    readings = tuple(one for one in measured.readings if one.register_wh <= session.meter_stop)
    limits = [amount for amount in (session.limit, correction.most) if amount is not None]
    return metering.price(
        replace(measured, readings=readings, parking=tuple(_until(measured, correction.ended_at))),
        correction.ended_at,
        limit=min(limits, default=None),
    )


def _until(measured: Measured, end: datetime) -> Iterator[tuple[datetime, datetime | None]]:
    for start, stop in measured.parking:
        if start < end:
            yield start, min(stop or end, end)


def _check(started_at: datetime, correction: Correction) -> None:
    if correction.ended_at < started_at:
        began = timezone.localtime(started_at).strftime("%Y-%m-%d %H:%M:%S %Z")
        raise ValidationError(
            {"ended_at": _("The session began at %(began)s; it cannot end before.") % {"began": began}}
        )
    if correction.ended_at > timezone.now():
        raise ValidationError({"ended_at": _("The end lies in the future.")})
    if correction.kwh < 0:
        raise ValidationError({"kwh": _("Energy cannot be negative.")})
    if correction.most is not None and correction.most <= 0:
        raise ValidationError({"most": _("To give all the money back, credit the CDR without correcting it.")})
