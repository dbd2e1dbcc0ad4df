"""Charging profiles that partners set for their drivers' sessions (OCPI 2.2.1 mod_charging_profiles).

Forwarded to the charger like a command; the result goes to `response_url`, see `profile_results`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chargers.choices import SessionStatus
from chargers.models import ChargingSession, OutgoingCall
from chargers.services.profiles import NotCharging, request_clearing, request_profile, request_schedule
from infrastructure.choices import Capability
from roaming.choices import ChargingProfileResponseType, ProfileRequestType
from roaming.models import ProfileRequest, RoamingPlatform
from roaming.ocpi.types import format_datetime, number, parse_datetime, parse_number
from roaming.services.commands.answers import call_deadline

Json = dict[str, Any]
Ask = Callable[[ChargingSession, datetime], OutgoingCall]

# More would keep the charger from its other work, and no car follows so fast.
MOST_REQUESTS = 6
WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ProfileAnswer:
    """The immediate ChargingProfileResponse; `timeout` in seconds."""

    result: ChargingProfileResponseType
    timeout: int = 0


REJECTED = ProfileAnswer(ChargingProfileResponseType.REJECTED)


def receive_profile(platform: RoamingPlatform, session_id: str, body: Json) -> ProfileAnswer:
    """Takes a SetChargingProfile. OCPP knows no profile without periods, so such a one is rejected."""
    profile = _exact(body["charging_profile"])
    if not profile["charging_profile_period"]:
        return REJECTED

    def ask(session: ChargingSession, deadline: datetime) -> OutgoingCall:
        return request_profile(session, profile, deadline)

    return _forward(platform, session_id, ProfileRequestType.SET, body["response_url"], ask)


def receive_query(platform: RoamingPlatform, session_id: str, seconds: int, response_url: str) -> ProfileAnswer:
    """Asks which limits are in force for the next `seconds`."""

    def ask(session: ChargingSession, deadline: datetime) -> OutgoingCall:
        return request_schedule(session, seconds, deadline)

    return _forward(platform, session_id, ProfileRequestType.GET, response_url, ask)


def receive_clearing(platform: RoamingPlatform, session_id: str, response_url: str) -> ProfileAnswer:
    return _forward(platform, session_id, ProfileRequestType.CLEAR, response_url, request_clearing)


def _forward(
    platform: RoamingPlatform, session_id: str, kind: ProfileRequestType, response_url: str, ask: Ask
) -> ProfileAnswer:
    session = ChargingSession.objects.filter(uid__iexact=session_id).select_related("connector__evse").first()
    refusal = _refusal(platform, session)
    if session is None or refusal is not None:
        return ProfileAnswer(refusal or ChargingProfileResponseType.UNKNOWN_SESSION)
    try:
        with transaction.atomic():
            forward(platform, session, kind, response_url, ask)
    except NotCharging:
        return REJECTED
    return ProfileAnswer(ChargingProfileResponseType.ACCEPTED, math.ceil(settings.COMMAND_TIMEOUT.total_seconds()))


def forward(
    platform: RoamingPlatform, session: ChargingSession, kind: ProfileRequestType, response_url: str, ask: Ask
) -> None:
    """Asks the charger and remembers for whom. Needs a transaction. Raises NotCharging."""
    ProfileRequest.objects.create(
        platform=platform,
        session=session,
        type=kind,
        response_url=response_url,
        call=ask(session, call_deadline()),
        expires_at=timezone.now() + settings.COMMAND_TIMEOUT,
    )


def _refusal(platform: RoamingPlatform, session: ChargingSession | None) -> ChargingProfileResponseType | None:
    if session is None:
        return ChargingProfileResponseType.UNKNOWN_SESSION
    if session.peer_id != platform.peer_id or session.connector is None or session.status != SessionStatus.ACTIVE:
        return ChargingProfileResponseType.REJECTED
    if Capability.CHARGING_PROFILE_CAPABLE not in session.connector.evse.capabilities:
        return ChargingProfileResponseType.NOT_SUPPORTED
    recent = ProfileRequest.objects.filter(session=session, received_at__gt=timezone.now() - WINDOW)
    if recent.exclude(type=ProfileRequestType.SHOW).count() >= MOST_REQUESTS:
        return ChargingProfileResponseType.TOO_OFTEN
    return None


def _exact(profile: Json) -> Json:
    """The profile with real numbers and times, as peers also write them as text."""
    start, duration, least = (profile.get(name) for name in ("start_date_time", "duration", "min_charging_rate"))
    return {
        "start_date_time": None if start is None else format_datetime(parse_datetime(start)),
        "duration": None if duration is None else int(parse_number(duration)),
        "charging_rate_unit": profile["charging_rate_unit"],
        "min_charging_rate": None if least is None else number(parse_number(least)),
        "charging_profile_period": [
            {
                "start_period": int(parse_number(period["start_period"])),
                "limit": number(parse_number(period["limit"])),
            }
            for period in profile.get("charging_profile_period") or []
        ],
    }
