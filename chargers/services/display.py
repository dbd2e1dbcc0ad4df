"""The price on a charger's display between its own messages (OCPP 2.0.1, I02); each of those is answered with it."""

from datetime import datetime, timedelta

from chargers.choices import CallAction, CallResult, OcppVersion
from chargers.models import ChargerConnection, OutgoingCall
from chargers.services.metering import Measured
from chargers.services.outgoing import request_ocpp
from tariffs.pricing.rounding import json_number, money

ACTION = "CostUpdated"
# A charger that speaks more often shows the price anyway.
QUIET_FOR = timedelta(seconds=60)
# Short: a stop must not wait behind a charger that does not answer this.
ANSWER_WITHIN = timedelta(seconds=10)


def show_cost(measured: Measured, now: datetime) -> OutgoingCall | None:
    """Tells the gross cost to the charger of a running session, if it was quiet and has not refused before."""
    session = measured.session
    if session.connector is None or session.driver_total_incl_vat is None or now - measured.last.at < QUIET_FOR:
        return None
    charger_id = session.connector.evse.charger_id
    connections = ChargerConnection.objects.filter(charger_id=charger_id, protocol=OcppVersion.V201)
    if not connections.exclude(channel_name="").exists() or _has_refused(charger_id):
        return None
    cost = json_number(money(session.driver_total_incl_vat, session.currency))
    payload = {"totalCost": cost, "transactionId": session.transaction_id}
    return request_ocpp(charger_id, ACTION, payload, now + ANSWER_WITHIN)


def _has_refused(charger_id: int) -> bool:
    told = OutgoingCall.objects.filter(charger_id=charger_id, action=CallAction.OCPP, payload__action=ACTION)
    return told.filter(result=CallResult.NOT_SUPPORTED).exists()
