"""The configuration keys of OCPP 1.6 §9 that this charge point has."""

from dataclasses import dataclass, field
from typing import Any

from ocpp.v16.enums import ConfigurationStatus

READ_ONLY = {
    "AuthorizeRemoteTxRequests": "false",
    "GetConfigurationMaxKeys": "50",
    "NumberOfConnectors": "1",
    "ReserveConnectorZeroSupported": "true",
    "ChargeProfileMaxStackLevel": "10",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "100",
    "MaxChargingProfilesInstalled": "100",
    "SupportedFeatureProfiles": "Core,RemoteTrigger,Reservation,SmartCharging",
    "StopTransactionOnEVSideDisconnect": "true",
    "StopTransactionOnInvalidId": "true",
    "UnlockConnectorOnEVSideDisconnect": "true",
    "LocalAuthorizeOffline": "false",
    "LocalPreAuthorize": "false",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
}
# Words that can be written.
TEXTS = {"CpoName": "Plugtill"}
# Can be written and never be read (OCPP 1.6 security whitepaper, 2.2); it must have 16 to 40 characters.
PASSWORD_KEY = "AuthorizationKey"
NUMBERS = {
    "HeartbeatInterval": "300",
    "MeterValueSampleInterval": "10",
    "ConnectionTimeOut": "60",
    "TransactionMessageAttempts": "5",
    "TransactionMessageRetryInterval": "1",
    "ResetRetries": "1",
    "ClockAlignedDataInterval": "0",
}


@dataclass
class Configuration:
    """Keys and their values as strings, as they travel."""

    fixed: dict[str, str] = field(default_factory=lambda: dict(READ_ONLY))
    texts: dict[str, str] = field(default_factory=lambda: dict(TEXTS))
    numbers: dict[str, str] = field(default_factory=lambda: dict(NUMBERS))

    def seconds(self, key: str) -> float:
        return float(self.numbers[key])

    def change(self, key: str, value: str) -> ConfigurationStatus:
        """Outcome of ChangeConfiguration."""
        if key in self.fixed:
            return ConfigurationStatus.rejected
        if key in self.texts:
            self.texts[key] = value
            return ConfigurationStatus.accepted
        if key not in self.numbers:
            return ConfigurationStatus.not_supported
        if not value.isdigit():
            return ConfigurationStatus.rejected
        self.numbers[key] = value
        return ConfigurationStatus.accepted

    def listing(self, wanted: list[str] | None) -> tuple[list[dict[str, Any]], list[str]]:
        """Known keys as KeyValue, and the wanted keys nobody knows."""
        values = self.fixed | self.texts | self.numbers
        names = wanted or sorted(values)
        known = [
            {"key": name, "readonly": name in self.fixed, "value": values[name]} for name in names if name in values
        ]
        return known, [name for name in names if name not in values]
