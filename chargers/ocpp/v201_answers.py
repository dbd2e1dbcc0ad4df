"""What a charger's answers to OCPP 2.0.1 requests mean for us, action by action."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chargers.choices import CallResult
from chargers.ocpp.adapter import Outcome

Json = dict[str, Any]
Meanings = Mapping[str, CallResult]

YES: Meanings = {"Accepted": CallResult.ACCEPTED}
YES_OR_NO: Meanings = {**YES, "Rejected": CallResult.REJECTED}
# Accepted, and what was running made room for it.
CANCELED: Meanings = {**YES_OR_NO, "AcceptedCanceled": CallResult.ACCEPTED}
REPORT: Meanings = {
    **YES_OR_NO,
    "EmptyResultSet": CallResult.ACCEPTED,
    "NotSupported": CallResult.NOT_SUPPORTED,
}

UNKNOWN_PLACE: Meanings = {"UnknownComponent": CallResult.UNKNOWN, "UnknownVariable": CallResult.UNKNOWN}


@dataclass(frozen=True, slots=True)
class PerItem:
    """The status words of an answer that has a status for each thing that was asked for."""

    results: str
    status: str
    meanings: Meanings

    def of(self, answer: Json) -> list[Any]:
        results = answer.get(self.results)
        items = results if isinstance(results, list) else []
        return [item.get(self.status) for item in items if isinstance(item, dict)]


# Every request that a CSMS may send, with the answer's status words. None: the answer has no status of its own; that
# it came is the success.
ANSWERS: Mapping[str, Meanings | PerItem | None] = {
    # Rejected: the charger has no reservation with this id (H02.FR.01).
    "CancelReservation": {**YES, "Rejected": CallResult.UNKNOWN_RESERVATION},
    "CertificateSigned": YES_OR_NO,
    # Scheduled: once the running transaction has ended.
    "ChangeAvailability": {**YES_OR_NO, "Scheduled": CallResult.ACCEPTED},
    "ClearCache": YES_OR_NO,
    "ClearChargingProfile": {**YES, "Unknown": CallResult.UNKNOWN},
    "ClearDisplayMessage": {**YES, "Unknown": CallResult.UNKNOWN},
    "ClearVariableMonitoring": PerItem(
        "clearMonitoringResult", "status", {**YES_OR_NO, "NotFound": CallResult.UNKNOWN}
    ),
    "CostUpdated": None,
    "CustomerInformation": {**YES_OR_NO, "Invalid": CallResult.REJECTED},
    "DataTransfer": {
        **YES_OR_NO,
        "UnknownMessageId": CallResult.NOT_SUPPORTED,
        "UnknownVendorId": CallResult.NOT_SUPPORTED,
    },
    "DeleteCertificate": {**YES, "Failed": CallResult.FAILED, "NotFound": CallResult.UNKNOWN},
    "GetBaseReport": REPORT,
    "GetChargingProfiles": {**YES, "NoProfiles": CallResult.UNKNOWN},
    "GetCompositeSchedule": YES_OR_NO,
    "GetDisplayMessages": {**YES, "Unknown": CallResult.UNKNOWN},
    "GetInstalledCertificateIds": {**YES, "NotFound": CallResult.UNKNOWN},
    "GetLocalListVersion": None,
    "GetLog": CANCELED,
    "GetMonitoringReport": REPORT,
    "GetReport": REPORT,
    "GetTransactionStatus": None,
    "GetVariables": None,
    "InstallCertificate": {**YES_OR_NO, "Failed": CallResult.FAILED},
    "PublishFirmware": YES_OR_NO,
    "RequestStartTransaction": YES_OR_NO,
    "RequestStopTransaction": YES_OR_NO,
    "ReserveNow": {
        **YES_OR_NO,
        "Faulted": CallResult.EVSE_INOPERATIVE,
        "Occupied": CallResult.EVSE_OCCUPIED,
        "Unavailable": CallResult.EVSE_INOPERATIVE,
    },
    "Reset": {**YES_OR_NO, "Scheduled": CallResult.ACCEPTED},
    "SendLocalList": {**YES, "Failed": CallResult.FAILED, "VersionMismatch": CallResult.REJECTED},
    "SetChargingProfile": YES_OR_NO,
    "SetDisplayMessage": {
        **YES_OR_NO,
        "NotSupportedMessageFormat": CallResult.NOT_SUPPORTED,
        "NotSupportedPriority": CallResult.NOT_SUPPORTED,
        "NotSupportedState": CallResult.NOT_SUPPORTED,
        "UnknownTransaction": CallResult.REJECTED,
    },
    "SetMonitoringBase": REPORT,
    "SetMonitoringLevel": YES_OR_NO,
    "SetNetworkProfile": {**YES_OR_NO, "Failed": CallResult.FAILED},
    "SetVariableMonitoring": PerItem(
        "setMonitoringResult",
        "status",
        {
            **YES_OR_NO,
            **UNKNOWN_PLACE,
            "Duplicate": CallResult.REJECTED,
            "UnsupportedMonitorType": CallResult.NOT_SUPPORTED,
        },
    ),
    "SetVariables": PerItem(
        "setVariableResult",
        "attributeStatus",
        {
            **YES_OR_NO,
            **UNKNOWN_PLACE,
            "NotSupportedAttributeType": CallResult.NOT_SUPPORTED,
            "RebootRequired": CallResult.ACCEPTED,
        },
    ),
    "TriggerMessage": {**YES_OR_NO, "NotImplemented": CallResult.NOT_SUPPORTED},
    "UnlockConnector": {
        "Unlocked": CallResult.ACCEPTED,
        "UnlockFailed": CallResult.FAILED,
        "OngoingAuthorizedTransaction": CallResult.REJECTED,
        "UnknownConnector": CallResult.REJECTED,
    },
    "UnpublishFirmware": {
        "DownloadOngoing": CallResult.REJECTED,
        "NoFirmware": CallResult.UNKNOWN,
        "Unpublished": CallResult.ACCEPTED,
    },
    "UpdateFirmware": {
        **CANCELED,
        "InvalidCertificate": CallResult.REJECTED,
        "RevokedCertificate": CallResult.REJECTED,
    },
}


def judge(action: str, answer: Any) -> Outcome:
    """The outcome with the answer as it came; one that OCPP does not know is a failure that says so.

    Where each part of a request has a status of its own, one that was accepted makes the request accepted.
    """
    if not isinstance(answer, dict):
        return Outcome(CallResult.FAILED, {"reason": "The charger's answer is no JSON object.", "answer": answer})
    words = ANSWERS[action]
    if words is None:
        return Outcome(CallResult.ACCEPTED, answer)
    statuses = words.of(answer) if isinstance(words, PerItem) else [answer.get("status")]
    meanings = words.meanings if isinstance(words, PerItem) else words
    results = [_meaning(meanings, status) for status in statuses]
    if CallResult.ACCEPTED in results:
        return Outcome(CallResult.ACCEPTED, answer)
    result = next(iter(results), None)
    if result is None:
        status = next(iter(statuses), None)
        reason = f"The charger answered with the status {status!r}, which {action} of OCPP 2.0.1 does not have."
        return Outcome(CallResult.FAILED, {**answer, "reason": reason})
    return Outcome(result, answer)


def _meaning(meanings: Meanings, status: Any) -> CallResult | None:
    return meanings.get(status) if isinstance(status, str) else None
