from chargers.models.call import OutgoingCall
from chargers.models.cdr import CDR
from chargers.models.connection import ChargerConnection
from chargers.models.reservation import Reservation
from chargers.models.session import ChargingSession, MeterSample, ParkingSpan
from chargers.models.token import Token

__all__ = [
    "CDR",
    "ChargerConnection",
    "ChargingSession",
    "MeterSample",
    "OutgoingCall",
    "ParkingSpan",
    "Reservation",
    "Token",
]
