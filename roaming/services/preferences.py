"""Charging preferences that a partner sends for a session of its driver (OCPI 2.2.1 mod_sessions, 9.2.2)."""

from typing import Any

from django.utils import timezone

from chargers.choices import ProfileType
from chargers.models import ChargingSession
from chargers.services.preferences import record_preferences
from infrastructure.choices import Capability
from roaming.choices import ChargingPreferencesResponse, Module
from roaming.models import Document, RoamingPlatform
from roaming.ocpi.errors import NotFound, OcpiError
from roaming.ocpi.types import parse_datetime, parse_number
from tariffs.choices import TariffStatus

Json = dict[str, Any]

# We never hold power back, so everybody charges as fast as regular: what costs nothing more needs no tariff.
ALWAYS_OFFERED = (ProfileType.REGULAR, ProfileType.FAST)
# These shift the charging within the time that the car stays.
NEED_A_PLAN = (ProfileType.CHEAP, ProfileType.GREEN)


class NotCapable(OcpiError):
    """The EVSE takes no preferences: the one 2001 that comes with HTTP 404."""

    status_code = 2001
    http_status = 404


def receive_preferences(platform: RoamingPlatform, session_id: str, body: Json) -> ChargingPreferencesResponse:
    """Keeps valid ChargingPreferences with the session. Raises NotFound and NotCapable."""
    session = _session(platform, session_id)
    evse = session.connector.evse if session.connector else None
    if evse is None or Capability.CHARGING_PREFERENCES_CAPABLE not in evse.capabilities:
        raise NotCapable("This EVSE takes no charging preferences.")
    refusal = _refusal(platform, body)
    if refusal is not None:
        return refusal
    if not record_preferences(session, body):
        return ChargingPreferencesResponse.NOT_POSSIBLE
    return ChargingPreferencesResponse.ACCEPTED


def _session(platform: RoamingPlatform, session_id: str) -> ChargingSession:
    """A session that the platform has been told of."""
    known = Document.objects.filter(platform=platform, module=Module.SESSIONS, object_id__iexact=session_id)
    session = (
        ChargingSession.objects.select_related("connector__evse")
        .filter(pk__in=known.values("source_id"), peer_id=platform.peer_id)
        .first()
    )
    if session is None:
        raise NotFound("There is no such session.")
    return session


def _refusal(platform: RoamingPlatform, body: Json) -> ChargingPreferencesResponse | None:
    profile = ProfileType(body["profile_type"])
    if not _is_offered(platform, profile):
        return ChargingPreferencesResponse.PROFILE_TYPE_NOT_SUPPORTED
    departure, need = body.get("departure_time"), body.get("energy_need")
    if profile in NEED_A_PLAN and departure is None:
        return ChargingPreferencesResponse.DEPARTURE_REQUIRED
    if profile in NEED_A_PLAN and need is None:
        return ChargingPreferencesResponse.ENERGY_NEED_REQUIRED
    is_over = departure is not None and parse_datetime(departure) <= timezone.now()
    if is_over or (need is not None and parse_number(need) < 0):
        return ChargingPreferencesResponse.NOT_POSSIBLE
    return None


def _is_offered(platform: RoamingPlatform, profile: ProfileType) -> bool:
    """A profile other than the usual one is offered with a tariff of its type (mod_locations: `tariff_ids`)."""
    return (
        profile in ALWAYS_OFFERED
        or platform.tariffs.filter(type=f"PROFILE_{profile}", status=TariffStatus.ACTIVE).exists()
    )
