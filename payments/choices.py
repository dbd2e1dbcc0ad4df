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
