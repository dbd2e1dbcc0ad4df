"""Charging profiles that staff keep and set at chargers."""

from datetime import datetime

from chargers.choices import OcppVersion
from chargers.models import ChargerConnection, ChargingProfileTemplate, OutgoingCall
from chargers.services.ocpp_requests import InvalidRequest, check_request, request_command
from chargers.services.outgoing import Json
from infrastructure.models import Charger

# Where the versions name a purpose differently.
_PURPOSES = {"ChargePointMaxProfile": "ChargingStationMaxProfile"}
_PREFIXES = {OcppVersion.V16: "csChargingProfiles", OcppVersion.V201: "chargingProfile"}
_IDS = {OcppVersion.V16: "chargingProfileId", OcppVersion.V201: "id"}


def check_profile(version: OcppVersion, profile: Json) -> None:
    """Raises InvalidRequest unless `profile` is one of that version; an id of its own is not looked at."""
    try:
        check_request(version, "SetChargingProfile", _request(version, 0, profile | {_IDS[version]: 1}))
    except InvalidRequest as error:
        prefix = f"{_PREFIXES[version]}."
        raise InvalidRequest({name.removeprefix(prefix): texts for name, texts in error.errors.items()}) from None


def request_setting(
    template: ChargingProfileTemplate, charger: Charger, evse_number: int, expires_at: datetime
) -> OutgoingCall:
    """Sets the profile at an EVSE, or (0) the whole charger. Raises ChargerOffline, or InvalidRequest."""
    connection = ChargerConnection.objects.filter(charger=charger).first()
    is_201 = connection is not None and connection.protocol == OcppVersion.V201
    version = OcppVersion.V201 if is_201 else OcppVersion.V16
    payload = _request(version, evse_number, wire_profile(template, version))
    return request_command(charger, "SetChargingProfile", payload, expires_at)


def _request(version: OcppVersion, evse_number: int, profile: Json) -> Json:
    evse = "evseId" if version == OcppVersion.V201 else "connectorId"
    return {evse: evse_number, _PREFIXES[version]: profile}


def wire_profile(template: ChargingProfileTemplate, version: OcppVersion) -> Json:
    """The profile as chargers of that version get it: with our id. Raises InvalidRequest for 2.0.1 to 1.6."""
    own = OcppVersion(template.ocpp_version)
    if own == version:
        return {_IDS[version]: template.wire_id, **_without_ids(template.profile)}
    if own == OcppVersion.V201:
        raise InvalidRequest(
            {"charging_profile": ["It is written for OCPP 2.0.1; this charger speaks 1.6. Write one for 1.6."]}
        )
    return _as_201(template)


def _without_ids(profile: Json) -> Json:
    return {name: value for name, value in profile.items() if name not in _IDS.values()}


def _as_201(template: ChargingProfileTemplate) -> Json:
    profile = _without_ids(template.profile)
    purpose = profile["chargingProfilePurpose"]
    schedule = {"id": template.wire_id, **profile.pop("chargingSchedule")}
    if "transactionId" in profile:
        profile["transactionId"] = str(profile["transactionId"])
    return {
        "id": template.wire_id,
        **profile,
        "chargingProfilePurpose": _PURPOSES.get(purpose, purpose),
        "chargingSchedule": [schedule],
    }
