from enum import StrEnum


class InvoiceCreator(StrEnum):
    """Who makes the driver's invoice (DirectPayment v1.9, Terminal.invoice_creator)."""

    CPO = "CPO"
    PTP = "PTP"


class CaptureStatusCode(StrEnum):
    """DirectPayment v1.9, 5.2.2."""

    SUCCESS = "SUCCESS"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"


class PaymentState(StrEnum):
    """How far one payment is, per platform and authorization reference; derived from rows, never stored."""

    UNKNOWN = "UNKNOWN"  # a capture for a reference that no session of the platform has
    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    CHARGING = "CHARGING"
    STOPPED = "STOPPED"
    REPORTED = "REPORTED"
    CAPTURED = "CAPTURED"
    PARTLY_CAPTURED = "PARTLY_CAPTURED"
    NOT_CAPTURED = "NOT_CAPTURED"
    NOTHING_TO_PAY = "NOTHING_TO_PAY"
    RELEASED = "RELEASED"
    CREDITED = "CREDITED"


class IssueKind(StrEnum):
    """What is wrong with a payment, or with the terminals that take payments."""

    NEVER_PLUGGED_IN = "NEVER_PLUGGED_IN"
    ABORTED = "ABORTED"
    CAPTURE_FAILED = "CAPTURE_FAILED"
    CAPTURE_PARTIAL = "CAPTURE_PARTIAL"
    ADVICE_MISSING = "ADVICE_MISSING"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
    SEVERAL_CAPTURES = "SEVERAL_CAPTURES"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    FOREIGN_SESSION = "FOREIGN_SESSION"
    DUPLICATE_ID = "DUPLICATE_ID"
    CDR_NOT_TAKEN = "CDR_NOT_TAKEN"
    CHARGER_LOST = "CHARGER_LOST"
    LATE_STOP = "LATE_STOP"
    UNBILLED_ENERGY = "UNBILLED_ENERGY"
    TOO_LONG = "TOO_LONG"
    UNKNOWN_TERMINAL = "UNKNOWN_TERMINAL"
    TERMINAL_UNASSIGNED = "TERMINAL_UNASSIGNED"
    TERMINAL_UNKNOWN_PLACES = "TERMINAL_UNKNOWN_PLACES"
    TERMINAL_DRIFT = "TERMINAL_DRIFT"
    TERMINAL_GONE = "TERMINAL_GONE"


class IssueState(StrEnum):
    """RESOLVED: the cause is gone. ACCEPTED: a person decided, with a note."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"
    ACCEPTED = "ACCEPTED"


class InvoiceKind(StrEnum):
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class RevisionReason(StrEnum):
    """Why an invoice looks different from the revision before."""

    ISSUED = "ISSUED"
    CARD_DATA = "CARD_DATA"
    CREDITED = "CREDITED"
