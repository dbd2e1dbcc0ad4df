"""Sessions paid at the demo's terminals, from START_SESSION to the CDR, by the services that do it in earnest."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import calls
from config.demo import data
from infrastructure import outbox
from infrastructure.choices import EVSEStatus
from infrastructure.models import EVSE
from infrastructure.services import masterdata
from roaming.choices import PlatformState
from roaming.models import RoamingPlatform
from roaming.services.commands import receive_start_session
from tests.chargers import factories


def make_partner(**fields: Any) -> RoamingPlatform:
    """The demo's provider, registered, with both chargers connected and free; `fields` as staff would enter them."""
    data.create()
    RoamingPlatform.objects.update(state=PlatformState.REGISTERED)
    platform = RoamingPlatform.objects.get()
    for name, value in fields.items():
        setattr(platform, name, value)
    masterdata.save(platform)
    ChargerConnection.objects.update(channel_name="socket", last_seen_at=timezone.now())
    EVSE.objects.update(status=EVSEStatus.AVAILABLE)
    outbox.drain()
    return platform


def request_start(platform: RoamingPlatform, reference: str) -> ChargingSession:
    token = {"country_code": "NL", "party_id": "PTP", "uid": reference, "type": "AD_HOC_USER"}
    body = {
        "response_url": "http://127.0.0.1:9/commands/1",
        "token": token | {"contract_id": reference},
        "location_id": "VIE-CITY",
        "evse_uid": "DEMO-AC-1-1",
        "connector_id": "1",
        "authorization_reference": reference,
    }
    receive_start_session(platform, body)
    return ChargingSession.objects.get(authorization_reference=reference)


def begin(session: ChargingSession, at: datetime) -> ChargingSession:
    call = session.calls.get()
    OutgoingCall.objects.filter(pk=call.pk).update(state="SENT")
    calls.finish_call(call.pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    factories.start(factories.reread(session), at)
    return factories.reread(session)


def charged(platform: RoamingPlatform, reference: str = "REF-1", *, kwh: str = "10") -> ChargingSession:
    """An hour ago for half an hour; its CDR is written, invoiced and queued for the partner."""
    at = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    session = begin(request_start(platform, reference), at)
    factories.end(session, at + timedelta(minutes=30), float(Decimal(kwh) * 1000))
    outbox.drain()
    return factories.reread(session)
