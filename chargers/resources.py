"""Files of sessions and CDRs, for export."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from chargers.models import CDR, ChargingSession
from infrastructure.exchange.columns import Cell, column
from infrastructure.exchange.resources import TableResource


def _local(value: datetime | None, zone: str) -> Any:
    """The clock of the area, without its zone: spreadsheets know none; it stands in a column of its own."""
    return "" if value is None else value.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)


class SessionResource(TableResource):
    uid = column(ChargingSession, "uid")
    authorization_reference = column(ChargingSession, "authorization_reference")
    status = column(ChargingSession, "status", cell=Cell())
    area = column(ChargingSession, "connector__evse__charger__location__name", "area")
    charger = column(ChargingSession, "connector__evse__charger__identity", "charger")
    evse_id = column(ChargingSession, "connector__evse__evse_id", "EVSE id")
    network = column(ChargingSession, "network", cell=Cell())
    started_at = column(ChargingSession, "started_at", "started (area's time)")
    ended_at = column(ChargingSession, "ended_at", "ended (area's time)")
    time_zone = column(ChargingSession, "time_zone")
    kwh = column(ChargingSession, "kwh", "energy (kWh)")
    net = column(ChargingSession, "total_cost_excl_vat", "cost (net)")
    gross = column(ChargingSession, "total_cost_incl_vat", "cost (gross)")
    limit = column(ChargingSession, "limit", "pre-authorised (gross)")
    currency = column(ChargingSession, "currency")
    stop_reason = column(ChargingSession, "stop_reason", cell=Cell())

    related = ("connector__evse__charger__location",)

    class Meta(TableResource.Meta):
        model = ChargingSession
        name = _("Sessions")

    def dehydrate_started_at(self, session: ChargingSession) -> Any:
        return _local(session.started_at, session.time_zone)

    def dehydrate_ended_at(self, session: ChargingSession) -> Any:
        return _local(session.ended_at, session.time_zone)


class CDRResource(TableResource):
    uid = column(CDR, "uid")
    session = column(CDR, "session__uid", "session")
    authorization_reference = column(CDR, "session__authorization_reference")
    credit = column(CDR, "is_credit", "credit")
    area = column(CDR, "session__connector__evse__charger__location__name", "area")
    charger = column(CDR, "session__connector__evse__charger__identity", "charger")
    start_date_time = column(CDR, "start_date_time", "started (area's time)")
    end_date_time = column(CDR, "end_date_time", "ended (area's time)")
    time_zone = column(CDR, "session__time_zone", "time zone")
    total_energy = column(CDR, "total_energy", "energy (kWh)")
    total_time = column(CDR, "total_time", "time (h)")
    total_parking_time = column(CDR, "total_parking_time", "of it parking (h)")
    net = column(CDR, "total_cost_excl_vat", "cost (net)")
    gross = column(CDR, "total_cost_incl_vat", "cost (gross)")
    currency = column(CDR, "currency")
    invoice = column(CDR, "invoice_reference_id", "invoice")

    related = ("session__connector__evse__charger__location",)

    class Meta(TableResource.Meta):
        model = CDR
        name = _("CDRs")

    def dehydrate_start_date_time(self, cdr: CDR) -> Any:
        return _local(cdr.start_date_time, cdr.session.time_zone)

    def dehydrate_end_date_time(self, cdr: CDR) -> Any:
        return _local(cdr.end_date_time, cdr.session.time_zone)
