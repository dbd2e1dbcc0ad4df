"""What a charger's answers to OCPP 1.6 requests mean for us, action by action."""

from collections.abc import Mapping
from typing import Any

from chargers.choices import CallResult
from chargers.ocpp.adapter import Outcome

Json = dict[str, Any]
Meanings = Mapping[str, CallResult]

YES: Meanings = {"Accepted": CallResult.ACCEPTED}
YES_OR_NO: Meanings = {**YES, "Rejected": CallResult.REJECTED}
TRIGGERED: Meanings = {**YES_OR_NO, "NotImplemented": CallResult.NOT_SUPPORTED}
# A running upload or update made room for this one.
CANCELED: Meanings = {**YES_OR_NO, "AcceptedCanceled": CallResult.ACCEPTED}

# Every request that a central system may send (OCPP 1.6 and its security extension), with the answer's status words.
# None: the answer has no status; that it came is the success.
ANSWERS: Mapping[str, Meanings | None] = {
    # Rejected: the charger has no reservation with this id (OCPP 1.6, 5.2).
    "CancelReservation": {**YES, "Rejected": CallResult.UNKNOWN_RESERVATION},
    "CertificateSigned": YES_OR_NO,
    # Scheduled: once the running transaction has ended.
    "ChangeAvailability": {**YES_OR_NO, "Scheduled": CallResult.ACCEPTED},
    "ChangeConfiguration": {
        **YES_OR_NO,
        "RebootRequired": CallResult.ACCEPTED,
        "NotSupported": CallResult.NOT_SUPPORTED,
    },
    "ClearCache": YES_OR_NO,
    "ClearChargingProfile": {**YES, "Unknown": CallResult.UNKNOWN},
    "DataTransfer": {
        **YES_OR_NO,
        "UnknownMessageId": CallResult.NOT_SUPPORTED,
        "UnknownVendorId": CallResult.NOT_SUPPORTED,
    },
    "DeleteCertificate": {**YES, "Failed": CallResult.FAILED, "NotFound": CallResult.UNKNOWN},
    "ExtendedTriggerMessage": TRIGGERED,
    "GetCompositeSchedule": YES_OR_NO,
    "GetConfiguration": None,
    "GetDiagnostics": None,
    "GetInstalledCertificateIds": {**YES, "NotFound": CallResult.UNKNOWN},
    "GetLocalListVersion": None,
    "GetLog": CANCELED,
    "InstallCertificate": {**YES_OR_NO, "Failed": CallResult.FAILED},
    "RemoteStartTransaction": YES_OR_NO,
    "RemoteStopTransaction": YES_OR_NO,
    "ReserveNow": {
        **YES_OR_NO,
        "Faulted": CallResult.EVSE_INOPERATIVE,
        "Occupied": CallResult.EVSE_OCCUPIED,
        "Unavailable": CallResult.EVSE_INOPERATIVE,
    },
    "Reset": YES_OR_NO,
    "SendLocalList": {
        **YES,
        "Failed": CallResult.FAILED,
        "NotSupported": CallResult.NOT_SUPPORTED,
        "VersionMismatch": CallResult.REJECTED,
    },
    "SetChargingProfile": {**YES_OR_NO, "NotSupported": CallResult.NOT_SUPPORTED},
    "SignedUpdateFirmware": {
        **CANCELED,
        "InvalidCertificate": CallResult.REJECTED,
        "RevokedCertificate": CallResult.REJECTED,
    },
    "TriggerMessage": TRIGGERED,
    "UnlockConnector": {
        "Unlocked": CallResult.ACCEPTED,
        "UnlockFailed": CallResult.FAILED,
        "NotSupported": CallResult.NOT_SUPPORTED,
    },
    "UpdateFirmware": None,
}


def judge(action: str, answer: Any) -> Outcome:
    """The outcome with the answer as it came; one that OCPP does not know is a failure that says so."""
    meanings = ANSWERS[action]
    if not isinstance(answer, dict):
        return Outcome(CallResult.FAILED, {"reason": "The charger's answer is no JSON object.", "answer": answer})
    if meanings is None:
        return Outcome(CallResult.ACCEPTED, answer)
    status = answer.get("status")
    result = meanings.get(status) if isinstance(status, str) else None
    if result is None:
        reason = f"The charger answered with the status {status!r}, which {action} of OCPP 1.6 does not have."
        return Outcome(CallResult.FAILED, {**answer, "reason": reason})
    return Outcome(result, answer)
