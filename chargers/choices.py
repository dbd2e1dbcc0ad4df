"""Enumerations of the charging domain; OCPI's where OCPI has them (2.2.1 mod_sessions, mod_cdrs, mod_commands)."""

from enum import StrEnum


class SessionStatus(StrEnum):
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"
    PENDING = "PENDING"
    RESERVATION = "RESERVATION"


class AuthMethod(StrEnum):
    AUTH_REQUEST = "AUTH_REQUEST"
    COMMAND = "COMMAND"
    WHITELIST = "WHITELIST"


class AuthorizationStatus(StrEnum):
    """What a charger is told of an id tag, in the words that OCPP 1.6 and 2.0.1 share."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"


class TokenType(StrEnum):
    """2.2.1 mod_tokens, 12.4.4."""

    AD_HOC_USER = "AD_HOC_USER"
    APP_USER = "APP_USER"
    OTHER = "OTHER"
    RFID = "RFID"


class WhitelistType(StrEnum):
    """May a token charge without asking its eMSP: ALWAYS never asks, ALLOWED as we like, ALLOWED_OFFLINE only when
    the eMSP cannot be reached, NEVER always asks (2.2.1 mod_tokens, 12.4.5)."""

    ALWAYS = "ALWAYS"
    ALLOWED = "ALLOWED"
    ALLOWED_OFFLINE = "ALLOWED_OFFLINE"
    NEVER = "NEVER"


class ProfileType(StrEnum):
    """What the driver wishes for (2.2.1 mod_sessions, 9.4.2)."""

    CHEAP = "CHEAP"
    FAST = "FAST"
    GREEN = "GREEN"
    REGULAR = "REGULAR"


class Network(StrEnum):
    """HOME: our own driver or nobody's; AWAY: a partner's."""

    HOME = "HOME"
    AWAY = "AWAY"


class StopReason(StrEnum):
    """Who ended a session, as told to the driver on the invoice and to the partner in CDR.remark."""

    DRIVER = "DRIVER"
    PARTNER = "PARTNER"
    LIMIT = "LIMIT"
    STAFF = "STAFF"
    CHARGER = "CHARGER"


class CallState(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    DONE = "DONE"


class CallResult(StrEnum):
    """Outcome of a call to a charger: OCPI's CommandResultType (2.2.1 mod_commands, 13.4.3), and UNKNOWN where
    the charger holds no charging profile (mod_charging_profiles, 14.5.3)."""

    ACCEPTED = "ACCEPTED"
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"
    EVSE_OCCUPIED = "EVSE_OCCUPIED"
    FAILED = "FAILED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    TIMEOUT = "TIMEOUT"
    UNKNOWN = "UNKNOWN"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"


class CallAction(StrEnum):
    """What we ask of a charger, in version-neutral words."""

    START_TRANSACTION = "START_TRANSACTION"
    STOP_TRANSACTION = "STOP_TRANSACTION"
    RESERVE_NOW = "RESERVE_NOW"
    CANCEL_RESERVATION = "CANCEL_RESERVATION"
    UNLOCK_CONNECTOR = "UNLOCK_CONNECTOR"
    SET_CHARGING_PROFILE = "SET_CHARGING_PROFILE"
    CLEAR_CHARGING_PROFILE = "CLEAR_CHARGING_PROFILE"
    GET_COMPOSITE_SCHEDULE = "GET_COMPOSITE_SCHEDULE"
    # Any request of the charger's own OCPP version, as it goes on the wire.
    OCPP = "OCPP"


class ReservationState(StrEnum):
    """PENDING: the charger has not answered yet. USED: its token charges. The others are over."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    USED = "USED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
