"""Enumerations of the charging domain; OCPI's where OCPI has them (2.2.1 mod_sessions, mod_cdrs, mod_commands)."""

from enum import IntEnum, StrEnum


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
    # Of a start only: the tag runs another transaction.
    CONCURRENT_TX = "ConcurrentTx"
    EXPIRED = "Expired"
    INVALID = "Invalid"


# What a tag is whoever asks, and so what a list may say of it.
LISTED_STATUSES = [one.value for one in AuthorizationStatus if one != AuthorizationStatus.CONCURRENT_TX]


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


class Settlement(StrEnum):
    """Why a session was ended with its last reading: its outlet was free, the next session began there, the charger
    did not come back, it was too long and would not stop, or staff closed it."""

    FREE = "FREE"
    NEXT = "NEXT"
    LOST = "LOST"
    OVERLONG = "OVERLONG"
    STAFF = "STAFF"


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


class Direction(StrEnum):
    """IN: from the charger."""

    IN = "IN"
    OUT = "OUT"


class FrameKind(StrEnum):
    """What a frame is (OCPP-J 1.6, 4.2); UNREADABLE: none of them."""

    CALL = "CALL"
    CALLRESULT = "CALLRESULT"
    CALLERROR = "CALLERROR"
    UNREADABLE = "UNREADABLE"


class ChargerEventKind(StrEnum):
    """CERTIFICATE: the charger asks for one. LOG: diagnostics and log uploads. CUSTOMER: what it knows of one."""

    FAULT = "FAULT"
    SECURITY = "SECURITY"
    FIRMWARE = "FIRMWARE"
    LOG = "LOG"
    CERTIFICATE = "CERTIFICATE"
    CUSTOMER = "CUSTOMER"


class SecurityProfile(IntEnum):
    """How a charger proves who it is (OCPP 1.6 security whitepaper, 2.2; OCPP 2.0.1, A00)."""

    NONE = 0
    PASSWORD = 1
    TLS_AND_PASSWORD = 2
    TLS_AND_CERTIFICATE = 3


class ApiScope(StrEnum):
    """What a token of the operator API may do."""

    CHARGE_POINTS_READ = "charge-points:read"
    CHARGE_POINTS_WRITE = "charge-points:write"
    CREDENTIALS_WRITE = "credentials:write"
    COMMANDS_READ = "commands:read"
    COMMANDS_SEND = "commands:send"
    TRANSACTIONS_READ = "transactions:read"
    TRANSACTIONS_CLOSE = "transactions:close"
    RESERVATIONS_READ = "reservations:read"
    RESERVATIONS_WRITE = "reservations:write"
    CHARGING_PROFILES_READ = "charging-profiles:read"
    CHARGING_PROFILES_WRITE = "charging-profiles:write"
    ID_TOKENS_READ = "id-tokens:read"
    ID_TOKENS_WRITE = "id-tokens:write"
    LOCAL_LISTS_READ = "local-lists:read"
    LOCAL_LISTS_WRITE = "local-lists:write"
    MESSAGES_READ = "messages:read"


class IdTokenType(StrEnum):
    """OCPP 2.0.1 IdTokenEnumType; OCPP 1.6 has no types."""

    CENTRAL = "Central"
    EMAID = "eMAID"
    ISO14443 = "ISO14443"
    ISO15693 = "ISO15693"
    KEY_CODE = "KeyCode"
    LOCAL = "Local"
    MAC_ADDRESS = "MacAddress"
    NO_AUTHORIZATION = "NoAuthorization"


class ConnectorType(StrEnum):
    """OCPP 2.0.1 ConnectorEnumType."""

    C_CCS1 = "cCCS1"
    C_CCS2 = "cCCS2"
    C_G105 = "cG105"
    C_TESLA = "cTesla"
    C_TYPE1 = "cType1"
    C_TYPE2 = "cType2"
    S309_1P_16A = "s309-1P-16A"
    S309_1P_32A = "s309-1P-32A"
    S309_3P_16A = "s309-3P-16A"
    S309_3P_32A = "s309-3P-32A"
    S_BS1361 = "sBS1361"
    S_CEE_7_7 = "sCEE-7-7"
    S_TYPE2 = "sType2"
    S_TYPE3 = "sType3"
    OTHER_1PH_MAX_16A = "Other1PhMax16A"
    OTHER_1PH_OVER_16A = "Other1PhOver16A"
    OTHER_3PH = "Other3Ph"
    PAN = "Pan"
    W_INDUCTIVE = "wInductive"
    W_RESONANT = "wResonant"
    UNDETERMINED = "Undetermined"
    UNKNOWN = "Unknown"


class OcppVersion(StrEnum):
    """Websocket subprotocols, as a connection names them."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"
