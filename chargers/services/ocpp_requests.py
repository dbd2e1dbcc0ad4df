"""Requests in the charger's own words: checked against the schemas of its OCPP version, then left for its socket.

Only the schemas decide. What they allow goes to the wire, known to us or not: a connector that is not configured,
any reservation id, any host for an upload. The charger says no where it must.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from chargers.choices import OcppVersion, SessionStatus, StopReason
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from chargers.services import schemas
from chargers.services.commands import request_stop
from chargers.services.outgoing import Json, request_ocpp
from infrastructure.models import Charger

Errors = dict[str, list[str]]

_SHARED = """CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile DataTransfer
    DeleteCertificate GetCompositeSchedule GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate
    ReserveNow Reset SendLocalList SetChargingProfile TriggerMessage UnlockConnector UpdateFirmware"""
# What a central system may ask (OCPP 1.6 chapter 5, and its security whitepaper; OCPP 2.0.1 part 2).
ACTIONS: Mapping[OcppVersion, frozenset[str]] = {
    OcppVersion.V16: frozenset(
        f"""{_SHARED} ChangeConfiguration ExtendedTriggerMessage GetConfiguration GetDiagnostics
        RemoteStartTransaction RemoteStopTransaction SignedUpdateFirmware""".split()
    ),
    OcppVersion.V201: frozenset(
        f"""{_SHARED} ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation GetBaseReport
        GetChargingProfiles GetDisplayMessages GetMonitoringReport GetReport GetTransactionStatus GetVariables
        PublishFirmware RequestStartTransaction RequestStopTransaction SetDisplayMessage SetMonitoringBase
        SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables UnpublishFirmware""".split()
    ),
}
_STOPS = ("RemoteStopTransaction", "RequestStopTransaction")


class InvalidRequest(Exception):
    """The request is not what the charger's OCPP version allows; `errors` says why, by field."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(str(errors))
        self.errors = errors


class ChargerOffline(Exception):
    """Nobody would hear the request."""


def request_command(charger: Charger, action: str, payload: Any, expires_at: datetime) -> OutgoingCall:
    """Leaves a request for a connected charger. Raises InvalidRequest or ChargerOffline.

    A stop of one of our running sessions is asked for as staff's: the bill says who ended it.
    """
    connection = ChargerConnection.objects.filter(charger=charger).first()
    if connection is not None and (connection.protocol or connection.is_online):
        check_request(OcppVersion(connection.protocol or OcppVersion.V16), action, payload)
    if connection is None or not connection.is_online:
        raise ChargerOffline(f"{charger.identity} is offline.")
    with transaction.atomic():
        session = _running(charger, payload) if action in _STOPS else None
        if session is not None:
            return request_stop(session, StopReason.STAFF, expires_at)
        return request_ocpp(charger.pk, action, payload, expires_at)


def _running(charger: Charger, payload: Json) -> ChargingSession | None:
    here = ChargingSession.objects.filter(connector__evse__charger=charger, status=SessionStatus.ACTIVE)
    return here.filter(transaction_id=str(payload["transactionId"])).first()


def check_request(version: OcppVersion, action: str, payload: Any) -> None:
    """Raises InvalidRequest."""
    if action not in ACTIONS[version]:
        known = ", ".join(sorted(ACTIONS[version]))
        raise InvalidRequest({"action": [f"A charger with {version} cannot be asked for this. Actions: {known}."]})
    if not isinstance(payload, dict):
        raise InvalidRequest({"non_field_errors": ["The body must be a JSON object: the payload of the request."]})
    # Tenths are no tenths in binary: both sides are compared in decimals.
    exact = json.loads(json.dumps(payload), parse_float=Decimal)
    try:
        schema = schemas.validator(version.removeprefix("ocpp"), schemas.REQUEST, action, Decimal)
        errors = list(schema.iter_errors(exact)) if schema else []
    except ArithmeticError:
        raise InvalidRequest({"non_field_errors": ["A number is too large."]}) from None
    if errors:
        raise InvalidRequest(_by_field(errors))


def _by_field(errors: Iterable[Any]) -> Errors:
    told: Errors = {}
    for error in errors:
        for field, text in _told(error):
            told.setdefault(field, []).append(text)
    return told


def _told(error: Any) -> Iterable[tuple[str, str]]:
    """Field and text; fields within fields as in `chargingSchedule.0.duration`."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        # One error per missing field names it only in its text.
        named = [name for name in missing if error.message.startswith(repr(name))] or missing
        return [(".".join([*path, name]), "This field is required.") for name in named]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        return [
            (".".join([*path, name])[:200], "OCPP has no such field here.")
            for name in error.instance
            if name not in known
        ]
    say = _TEXTS.get(error.validator)
    return [(".".join(path) or "non_field_errors", say(error.validator_value) if say else "This value is not allowed.")]


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "type": lambda wanted: f"Must be of the type {wanted}.",
    "enum": lambda wanted: f"Must be one of: {', '.join(map(str, wanted))}.",
    "maxLength": lambda wanted: f"Must have at most {wanted} characters.",
    "minItems": lambda wanted: f"Must have at least {wanted} items.",
    "maxItems": lambda wanted: f"Must have at most {wanted} items.",
    "minimum": lambda wanted: f"Must be at least {wanted}.",
    "maximum": lambda wanted: f"Must be at most {wanted}.",
    "multipleOf": lambda wanted: f"Must be a multiple of {wanted}.",
    "format": lambda wanted: "Must be a date and time as in 2026-01-31T12:00:00Z.",
}
