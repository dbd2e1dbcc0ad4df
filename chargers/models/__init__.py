from chargers.models.api_token import ApiToken
from chargers.models.call import OutgoingCall
from chargers.models.cdr import CDR
from chargers.models.certificate import ChargerCertificate
from chargers.models.connection import ChargerConnection
from chargers.models.device import ChargerMonitor, DisplayMessage
from chargers.models.event import ChargerEvent
from chargers.models.id_token import IdToken
from chargers.models.late_stop import LateStop
from chargers.models.local_list import LocalList
from chargers.models.message import ChargerMessage
from chargers.models.outlet import ConnectorStatus, HeldEvent
from chargers.models.pending import PendingCharger
from chargers.models.profile_template import ChargingProfileTemplate
from chargers.models.reservation import Reservation
from chargers.models.session import ChargingSession, MeterSample, ParkingSpan
from chargers.models.token import Token
from chargers.models.variable import ChargerVariable

__all__ = [
    "CDR",
    "ApiToken",
    "ChargerCertificate",
    "ChargerConnection",
    "ChargerEvent",
    "ChargerMessage",
    "ChargerMonitor",
    "ChargerVariable",
    "ChargingProfileTemplate",
    "ChargingSession",
    "ConnectorStatus",
    "DisplayMessage",
    "HeldEvent",
    "IdToken",
    "LateStop",
    "LocalList",
    "MeterSample",
    "OutgoingCall",
    "ParkingSpan",
    "PendingCharger",
    "Reservation",
    "Token",
]
