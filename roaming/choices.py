from enum import StrEnum


class PlatformType(StrEnum):
    """What the partner behind a platform is."""

    PTP = "PTP"
    EMSP = "EMSP"
    HUB = "HUB"


class Initiation(StrEnum):
    """Who starts the registration: we, with the partner's token, or the partner, with ours."""

    CPO = "CPO"
    PARTNER = "PARTNER"


class PlatformState(StrEnum):
    NEW = "NEW"
    REGISTERED = "REGISTERED"
    INVALIDATED = "INVALIDATED"


class Protocol(StrEnum):
    OCPI = "OCPI"


class Module(StrEnum):
    """OCPI ModuleID (2.2.1 version_information_endpoint, 7.4), and the payments module of DirectPayment."""

    CDRS = "cdrs"
    CHARGINGPROFILES = "chargingprofiles"
    COMMANDS = "commands"
    CREDENTIALS = "credentials"
    HUBCLIENTINFO = "hubclientinfo"
    LOCATIONS = "locations"
    PAYMENTS = "payments"
    SESSIONS = "sessions"
    TARIFFS = "tariffs"
    TOKENS = "tokens"


class Direction(StrEnum):
    """Of a message: IN is the peer's request to us."""

    IN = "IN"
    OUT = "OUT"


class InterfaceRole(StrEnum):
    SENDER = "SENDER"
    RECEIVER = "RECEIVER"


class CommandType(StrEnum):
    CANCEL_RESERVATION = "CANCEL_RESERVATION"
    RESERVE_NOW = "RESERVE_NOW"
    START_SESSION = "START_SESSION"
    STOP_SESSION = "STOP_SESSION"
    UNLOCK_CONNECTOR = "UNLOCK_CONNECTOR"


class CommandResponseType(StrEnum):
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    ACCEPTED = "ACCEPTED"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


class CommandResultType(StrEnum):
    """What became of a command (2.2.1 mod_commands, 13.4.2)."""

    ACCEPTED = "ACCEPTED"
    CANCELED_RESERVATION = "CANCELED_RESERVATION"
    EVSE_OCCUPIED = "EVSE_OCCUPIED"
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"
    FAILED = "FAILED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    TIMEOUT = "TIMEOUT"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"


class ChargingProfileResponseType(StrEnum):
    """2.2.1 mod_charging_profiles, 14.5.2."""

    ACCEPTED = "ACCEPTED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    TOO_OFTEN = "TOO_OFTEN"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


class ChargingProfileResultType(StrEnum):
    """2.2.1 mod_charging_profiles, 14.5.3."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class ProfileRequestType(StrEnum):
    """What a partner wants with the charging profile of a session; SHOW: we look, to tell it what is in force."""

    SET = "SET"
    GET = "GET"
    CLEAR = "CLEAR"
    SHOW = "SHOW"


class AllowedType(StrEnum):
    """Answer to a real-time authorization (2.2.1 mod_tokens, 12.4.1)."""

    ALLOWED = "ALLOWED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    NO_CREDIT = "NO_CREDIT"
    NOT_ALLOWED = "NOT_ALLOWED"


class ConnectionStatus(StrEnum):
    """Whether a hub can pass messages on to a party; SUSPENDED is final (2.2.1 mod_hub_client_info, 15.4.1)."""

    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    PLANNED = "PLANNED"
    SUSPENDED = "SUSPENDED"


class ChargingPreferencesResponse(StrEnum):
    """2.2.1 mod_sessions, 9.4.1."""

    ACCEPTED = "ACCEPTED"
    DEPARTURE_REQUIRED = "DEPARTURE_REQUIRED"
    ENERGY_NEED_REQUIRED = "ENERGY_NEED_REQUIRED"
    NOT_POSSIBLE = "NOT_POSSIBLE"
    PROFILE_TYPE_NOT_SUPPORTED = "PROFILE_TYPE_NOT_SUPPORTED"


class PushState(StrEnum):
    """DROPPED: given up for now, said again when the platform answers. FAILED: refused. DISCARDED: staff decided
    that the platform need not be told. SUPERSEDED: a newer push of the same object says it."""

    PENDING = "PENDING"
    IN_FLIGHT = "IN_FLIGHT"
    DONE = "DONE"
    DROPPED = "DROPPED"
    FAILED = "FAILED"
    DISCARDED = "DISCARDED"
    SUPERSEDED = "SUPERSEDED"
